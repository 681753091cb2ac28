//! How many different hashes there were, about, in a few kilobytes.

/// Bits of a hash that choose a register.
const INDEX_BITS: u32 = 14;
/// Bits of a hash that are left for its rank.
const RANK_BITS: u32 = u64::BITS - INDEX_BITS;
const REGISTERS: usize = 1 << INDEX_BITS;

/// HyperLogLog: each register keeps the highest rank of the hashes it saw.
///
/// The registers depend on the set of hashes alone, never on their order, so a campaign that was
/// interrupted comes to the same estimate as one that was not. The published crates keep running
/// sums of floats, which depend on the order.
///
/// ```
/// use freeorder::search::campaign::HyperLogLog;
/// let mut sketch = HyperLogLog::default();
/// (0..100_000_u64).for_each(|word| sketch.insert(word));
/// let error = (sketch.estimate() as f64 - 100_000.0).abs() / 100_000.0;
/// assert!(error < 4.0 * HyperLogLog::STANDARD_ERROR);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HyperLogLog {
    registers: Vec<u8>,
}

impl Default for HyperLogLog {
    fn default() -> Self {
        Self { registers: vec![0; REGISTERS] }
    }
}

impl HyperLogLog {
    /// The standard error of an estimate, relative: 1.04 / sqrt(registers).
    pub const STANDARD_ERROR: f64 = 1.04 / 128.0;

    /// Takes a hash down.
    pub fn insert(&mut self, hash: u64) {
        let mixed = scattered(hash);
        let index = (mixed >> RANK_BITS) as usize;
        let rest = mixed << INDEX_BITS;
        let rank = rest.leading_zeros().min(RANK_BITS) + 1;
        let register = &mut self.registers[index];
        *register = (*register).max(rank as u8);
    }

    /// How many different hashes were taken down.
    ///
    /// Source: Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6,
    /// which needs no tables of corrections.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        let count = REGISTERS as f64;
        let mut ranks = [0_u32; RANK_BITS as usize + 2];
        for &register in &self.registers {
            ranks[register as usize] += 1;
        }
        let highest = f64::from(ranks[RANK_BITS as usize + 1]);
        let mut sum = count * tau(1.0 - highest / count);
        for &registers in ranks[1..=RANK_BITS as usize].iter().rev() {
            sum = 0.5 * (sum + f64::from(registers));
        }
        sum += count * sigma(f64::from(ranks[0]) / count);
        (count * count / (2.0 * std::f64::consts::LN_2 * sum)).round() as u64
    }

    /// The registers in hexadecimal.
    #[must_use]
    pub fn to_hex(&self) -> String {
        use std::fmt::Write as _;
        self.registers.iter().fold(String::with_capacity(2 * REGISTERS), |mut hex, register| {
            let _ = write!(hex, "{register:02x}");
            hex
        })
    }

    /// The sketch with these registers; none if they are no registers of a sketch.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        let digits = hex.as_bytes().chunks_exact(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let registers: Option<Vec<u8>> = digits.map(byte).collect();
        let registers = registers.filter(|registers| registers.len() == REGISTERS)?;
        let legal = registers.iter().all(|&rank| u32::from(rank) <= RANK_BITS + 1);
        legal.then_some(Self { registers })
    }
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * power;
        power += power;
        if sum <= before {
            return sum;
        }
    }
}

/// The finalizer of MurmurHash3: every bit of the word decides every bit of the result, which the
/// choice of a register needs more than a state hash does.
fn scattered(mut word: u64) -> u64 {
    word = (word ^ word >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    word = (word ^ word >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut power, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        power *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * power;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The printed error must be the real one: over planted counts from 1 to ten million.
    #[test]
    fn the_error_is_what_it_says() {
        let mut squares = 0.0;
        let mut measured = 0;
        for start in 0..20_u64 {
            let mut sketch = HyperLogLog::default();
            let mut inserted = 0;
            for count in [1, 100, 5_000, 40_000, 100_000, 300_000] {
                (inserted..count).for_each(|word| sketch.insert(start << 40 | word));
                inserted = count;
                let error = (sketch.estimate() as f64 - count as f64) / count as f64;
                assert!(error.abs() < 4.0 * HyperLogLog::STANDARD_ERROR, "{count}: {error}");
                squares += error * error;
                measured += 1;
            }
        }
        let error = (squares / f64::from(measured)).sqrt();
        assert!(error < 1.2 * HyperLogLog::STANDARD_ERROR, "the standard error is {error}");
        assert!(error > 0.2 * HyperLogLog::STANDARD_ERROR, "nothing was estimated: {error}");
    }

    /// Interrupted and undisturbed campaigns see the same hashes in other orders, some twice.
    #[test]
    fn order_and_repetition_change_nothing() {
        let (mut one, mut two) = (HyperLogLog::default(), HyperLogLog::default());
        (0..50_000).for_each(|word| one.insert(word));
        (0..50_000).rev().chain(10..90).for_each(|word| two.insert(word));
        assert_eq!(one, two);
        assert_eq!(HyperLogLog::from_hex(&one.to_hex()), Some(one));
        assert_eq!(HyperLogLog::from_hex("00"), None);
        assert_eq!(HyperLogLog::from_hex(&"ff".repeat(REGISTERS)), None);
    }
}
