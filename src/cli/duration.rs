//! Times on the command line.

use std::time::Duration;

/// Accepts `500ms`, `60s`, `5m` and `2h`.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: a number and ms, s, m or h, as in 60s");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let milliseconds = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let all = number.checked_mul(milliseconds).filter(|&all| all > 0).ok_or_else(wrong)?;
    Ok(Duration::from_millis(all))
}
