//! How messages repeat what somebody wrote, and say what would have been right.

/// Of more names than these only the nearest are listed: a wall of names helps nobody.
const LISTED_MAX: usize = 32;

/// Longer texts are cut before they are shown.
const SHOWN_MAX: usize = 240;

/// Of these the last characters are kept: there a message says the place.
const TAIL: usize = 80;

/// A text that is fit to be shown: not too long, and without control characters.
#[must_use]
pub fn shown(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let Some((end, _)) = text.char_indices().nth(SHOWN_MAX) else {
        return text.chars().map(clean).collect();
    };
    let start = text[..end].char_indices().nth(SHOWN_MAX - TAIL).map_or(end, |(start, _)| start);
    let tail = text.char_indices().nth_back(TAIL - 1).map_or(end, |(tail, _)| tail);
    let (head, tail) = (text[..start].chars(), text[tail..].chars());
    head.map(clean).chain(" ... ".chars()).chain(tail.map(clean)).collect()
}

/// A sentence that says what would have been right: the nearest name, or all of them.
#[must_use]
pub fn hint<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    hint_of(wrong, &names.collect::<Vec<_>>())
}

/// Built once, whatever the names come from.
fn hint_of(wrong: &str, names: &[&str]) -> String {
    let shortened: String = wrong.chars().take(64).collect();
    let nearest = names.iter().map(|name| (distance(&shortened, name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= 1 + name.len() / 3 => {
            format!("did you mean `{name}`?")
        }
        Some(_) if names.len() > LISTED_MAX => {
            let mut nearest: Vec<&str> = names.to_vec();
            nearest.sort_by_key(|name| distance(&shortened, name));
            let listed = nearest[..LISTED_MAX].join(", ");
            format!("expected one of {listed}, or of {} more", names.len() - LISTED_MAX)
        }
        Some(_) => format!("expected one of {}", names.join(", ")),
        None => "nothing is expected here".to_owned(),
    }
}

/// The Levenshtein distance between two short names.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parser's message quotes what it found, and tells the place behind it.
    #[test]
    fn a_message_of_any_length_keeps_its_beginning_and_its_place() {
        let long =
            format!("invalid type: string \"{}\" at line 1 column 9", "\u{e4}\n".repeat(5000));
        let short = shown(&long);
        assert!(short.starts_with("invalid type: string \"\u{e4}\u{fffd}\u{e4}"), "{short}");
        assert!(short.ends_with("at line 1 column 9"), "{short}");
        assert_eq!(short.chars().count(), SHOWN_MAX + " ... ".len());
        for length in SHOWN_MAX - 2..=SHOWN_MAX {
            let text = "\u{e9}".repeat(length);
            assert_eq!(shown(&text), text);
        }
        assert_eq!(shown(&"x".repeat(SHOWN_MAX + 1)).len(), SHOWN_MAX + " ... ".len());
    }
}
