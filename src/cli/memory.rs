//! Sizes of memory on the command line.

/// Accepts `4096`, `64K`, `50M` and `2G`.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: a number and K, M or G, as in 50M");
    let digits = text.trim_end_matches(['K', 'M', 'G']);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).filter(|&bytes| bytes > 0).ok_or_else(wrong)
}
