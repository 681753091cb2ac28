//! A number that stands as itself or as a string.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A number of a capture; what is no number is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number(i64, u64);

impl Number {
    /// Its value; 0 for a negative number.
    pub fn value(self) -> u64 {
        self.1
    }

    /// Its value in 32 bits; a number that has none there is -1.
    pub fn small(self) -> i32 {
        if self.0 < 0 {
            i32::try_from(self.0).unwrap_or(-1)
        } else {
            i32::try_from(self.1).unwrap_or(-1)
        }
    }

    fn signed(value: i64) -> Self {
        Self(value.min(0), u64::try_from(value).unwrap_or(0))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a string that holds one")
    }

    fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
        Ok(Number(0, value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
        Ok(Number::signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
        Ok(Number(0, value as u64))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Number, E> {
        Ok(Number(0, value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Number, E> {
        let number = value.parse().map(|value| Number(0, value));
        let number = number.or_else(|_| value.parse().map(Number::signed));
        // Memories are written by name in some versions: no number, and no error.
        Ok(number.unwrap_or(Number(-1, if value == "true" { 1 } else { u64::MAX })))
    }

    fn visit_unit<E>(self) -> Result<Number, E> {
        Ok(Number::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Number, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Number::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<Number, A::Error> {
        while values.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Number::default())
    }
}
