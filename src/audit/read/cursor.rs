//! A line that is read from its left end.

/// What is left of a line.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    pub fn new(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes a text that must be here.
    #[inline(always)]
    pub fn text<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// Takes a text if it is here.
    #[inline(always)]
    pub fn has<const N: usize>(&mut self, text: &[u8; N]) -> bool {
        self.text(text).is_some()
    }

    /// Takes decimal digits, at least one.
    #[inline(always)]
    pub fn number(&mut self) -> Option<u64> {
        // Numbers of up to fifteen digits, without a branch for each of them.
        let Some((value, count)) = self.rest.first_chunk().map(eight_digits) else {
            return self.long_number();
        };
        if count < 8 {
            self.rest = &self.rest[count..];
            return (count > 0).then_some(value);
        }
        let Some((low, more)) = self.rest[8..].first_chunk().map(eight_digits) else {
            // The end of the line is near: up to seven digits are left.
            let (mut value, mut count) = (value, 8);
            while let Some(digit) = self.rest.get(count).filter(|byte| byte.is_ascii_digit()) {
                value = value * 10 + u64::from(digit - b'0');
                count += 1;
            }
            self.rest = &self.rest[count..];
            return Some(value);
        };
        if more == 8 {
            return self.long_number();
        }
        self.rest = &self.rest[8 + more..];
        Some(value * POWERS[more] + low)
    }

    /// Takes decimal digits near the end of a line, or more than fifteen.
    #[inline(never)]
    fn long_number(&mut self) -> Option<u64> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(count);
        let value = digits.iter().try_fold(0_u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })?;
        self.rest = rest;
        (count > 0).then_some(value)
    }

    /// Takes a number of 32 bits, with or without a sign.
    #[inline(always)]
    pub fn signed(&mut self) -> Option<i32> {
        if self.has(b"-") {
            return i32::try_from(-i64::try_from(self.number()?).ok()?).ok();
        }
        i32::try_from(self.number()?).ok()
    }

    /// Takes a number of 32 bits.
    #[inline(always)]
    pub fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    /// Takes hexadecimal digits, at least one.
    #[inline]
    pub fn hexadecimal(&mut self) -> Option<u64> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let text = std::str::from_utf8(&self.rest[..digits]).ok()?;
        let value = u64::from_str_radix(text, 16).ok()?;
        self.rest = &self.rest[digits..];
        Some(value)
    }

    /// Takes a buffer id: decimal, or hexadecimal behind `0x`.
    #[inline(always)]
    pub fn id(&mut self) -> Option<u64> {
        if self.rest.starts_with(b"0x") {
            self.rest = &self.rest[2..];
            return self.hexadecimal();
        }
        self.number()
    }

    /// Takes a decimal fraction, as a stream of C++ prints one.
    #[inline]
    pub fn fraction(&mut self) -> Option<f64> {
        let is_part = |byte: &&u8| byte.is_ascii_digit() || b"+-.e".contains(byte);
        let count = self.rest.iter().take_while(is_part).count();
        let value = std::str::from_utf8(&self.rest[..count]).ok()?.parse().ok()?;
        self.rest = &self.rest[count..];
        Some(value)
    }

    /// Takes capital letters, digits and underscores.
    #[inline(always)]
    pub fn word(&mut self) -> &'a [u8] {
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let (word, rest) = self.rest.split_at(self.rest.iter().take_while(is_part).count());
        self.rest = rest;
        word
    }

    /// Whether nothing is left, or only blanks.
    #[inline(always)]
    pub fn is_over(&self) -> bool {
        self.rest.is_empty() || self.rest.trim_ascii().is_empty()
    }
}

const POWERS: [u64; 8] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];

/// The number that the first digits among eight bytes are, and how many digits those are.
#[inline(always)]
fn eight_digits(bytes: &[u8; 8]) -> (u64, usize) {
    let digits = u64::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030;
    // The high bit of the first byte that is no digit; those behind it do not matter.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    let count = (others.trailing_zeros() / 8) as usize;
    // The digits move to the end, zeros before them: first pairs, then fours, then all eight.
    let digits = digits.checked_shl(64 - 8 * count as u32).unwrap_or(0);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    let all = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff;
    (all, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A torn line can end anywhere in a number, and a corrupt one can have any length.
    #[test]
    fn numbers_of_any_length_are_read_or_refused() {
        assert_eq!(Cursor::new(b"18446744073709551615)").number(), Some(u64::MAX));
        assert_eq!(Cursor::new(b"18446744073709551616").number(), None);
        assert_eq!(Cursor::new(b"99999999999999999999999999").number(), None);
        assert_eq!(Cursor::new(b"").number(), None);
        for text in ["0", "7", "1048640", "12503040", "694960736", "123456789012345", "00012"] {
            for behind in ["", " ", " bytes of DRAM", "/:;x\u{ff}\u{2713}"] {
                let line = format!("{text}{behind}");
                let mut cursor = Cursor::new(line.as_bytes());
                assert_eq!(cursor.number(), text.parse().ok(), "{line}");
                assert_eq!(cursor.rest(), behind.as_bytes(), "{line}");
            }
        }
        assert_eq!(Cursor::new(b"x2345678").number(), None);
        assert_eq!(Cursor::new(b"-14 ").signed(), Some(-14));
        assert_eq!(Cursor::new(b"2147483648").signed(), None);
        assert_eq!(Cursor::new(b"0x5000300020000)").id(), Some(0x0005_0003_0002_0000));
        assert_eq!(Cursor::new(b"0x").id(), None);
        assert_eq!(Cursor::new(b"1.04858e+06 KB").fraction(), Some(1_048_580.0));
        assert_eq!(Cursor::new(b"KB").fraction(), None);
    }
}
