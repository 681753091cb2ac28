//! The innermost function of the runtime in a backtrace of `backtrace_symbols_fd`.

/// The first frame that lies in one of the runtime's libraries: its function; if that has no name,
/// its library and the first function around it that has one, or else its place in the library.
pub(super) fn innermost(trace: &str) -> Option<String> {
    let mut frames = trace.lines().filter_map(frame);
    let (library, name, offset) = frames.next()?;
    if !name.is_empty() {
        return Some(told(name));
    }
    let around = frames.find(|(_, name, _)| !name.is_empty());
    Some(match around {
        Some((_, name, _)) => format!("{library}, under {}", told(name)),
        None => format!("{library}+{offset}"),
    })
}

fn told(name: &str) -> String {
    readable(name).unwrap_or_else(|| name.to_owned())
}

/// The library, the mangled name and the offset of a frame of the runtime's.
fn frame(line: &str) -> Option<(&str, &str, &str)> {
    let (path, rest) = line.split_once('(')?;
    let is_one = path.contains("/ttnn/") || path.contains("tt_metal") || path.contains("_ttnn");
    let inside = rest.split(')').next().unwrap_or_default();
    let (name, offset) = inside.split_once('+').unwrap_or((inside, ""));
    is_one.then_some((path.rsplit('/').next().unwrap_or(path), name, offset))
}

/// What the driver was looking at when it died, after the call had returned or raised.
pub(super) fn looked_at(trace: &str) -> Option<String> {
    let line = trace.lines().find_map(|line| line.strip_prefix("# looking at "))?;
    Some(line.to_owned())
}

/// `ns::Class::function` of a mangled nested name; none if it is something else.
fn readable(mangled: &str) -> Option<String> {
    let rest = mangled.strip_prefix("_ZN").or_else(|| mangled.strip_prefix("_Z"))?;
    let mut rest = rest.trim_start_matches(['K', 'V', 'r', 'O', 'R']);
    let mut parts = Vec::new();
    if let Some(inner) = rest.strip_prefix("St") {
        parts.push("std");
        rest = inner;
    }
    while rest.starts_with(|c: char| c.is_ascii_digit()) {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let length: usize = rest[..digits].parse().ok()?;
        let end = digits.checked_add(length)?;
        parts.push(rest.get(digits..end)?);
        rest = &rest[end..];
    }
    if let (Some(last), true) = (parts.last().copied(), rest.starts_with('D')) {
        return Some(format!("{}::~{last}", parts.join("::")));
    }
    (!parts.is_empty()).then(|| parts.join("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two crashes are one finding if they die in one function, so the name must not depend on
    /// where libraries are loaded, nor on the frames of the handler.
    #[test]
    fn the_function_that_died_is_named() {
        let trace = "/lib/x86_64-linux-gnu/libffi.so.8(+0x6f7a)[0x7fc46f8bff7a]\n\
             /lib/x86_64-linux-gnu/libc.so.6(+0x3c050)[0x7fc46f05a050]\n\
             /v/ttnn/build/lib/libtt_metal.so(_ZNK2tt8tt_metal6Buffer7addressEv+0x4)[0x7f]\n";
        assert_eq!(innermost(trace).as_deref(), Some("tt::tt_metal::Buffer::address"));
        let trace = "/v/ttnn/build/lib/_ttnncpp.so(+0x1616e5a)[0x7f3b83a16e5a]\n";
        assert_eq!(innermost(trace).as_deref(), Some("_ttnncpp.so+0x1616e5a"));
        assert_eq!(looked_at(trace), None);
        let trace = format!(
            "# looking at m0\n{trace}/v/ttnn/build/lib/libtt_metal.so(+0x16)[0x7f]\n\
             /v/ttnn/build/lib/libtt_metal.so(_ZN2tt6BufferD2Ev+0x83)[0x7f]\n"
        );
        let named = "_ttnncpp.so, under tt::Buffer::~Buffer";
        assert_eq!(innermost(&trace).as_deref(), Some(named));
        assert_eq!(looked_at(&trace).as_deref(), Some("m0"));
        assert_eq!(innermost("/lib/libc.so.6(abort+0x10)[0x1]\n"), None);
        assert_eq!(readable("_ZN2tt6BufferD1Ev").as_deref(), Some("tt::Buffer::~Buffer"));
        assert_eq!(readable("main"), None);
    }
}
