//! Fractions, and what can be switched off.

use std::marker::PhantomData;

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::DeValue;

use super::value::{Codec, Fault, quoted, wrong};

/// What stands in place of a value that is not there.
pub(super) const OFF: &str = "off";

/// A finite number with or without a fraction: `0.95`, `1`.
pub(super) struct Fraction;

impl Codec for Fraction {
    type Value = f64;

    fn text(text: &str) -> Result<f64, String> {
        let number = text.trim().replace('_', "").parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| format!("expected a number such as 0.95, found {}", quoted(text)))
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<f64, Fault> {
        let text = match value.get_ref() {
            DeValue::Float(text) => text.as_str(),
            DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str(),
            _ => return wrong(value, "a number such as 0.95"),
        };
        Self::text(text).map_err(|message| Fault::at(value, message))
    }

    /// The shortest digits that read back as the very same number.
    fn show(number: &f64) -> Value {
        json!(number)
    }
}

/// What `C` reads, or `"off"`.
pub(super) struct OrOff<C>(PhantomData<C>);

impl<C: Codec> Codec for OrOff<C> {
    type Value = Option<C::Value>;

    fn text(text: &str) -> Result<Self::Value, String> {
        if text.trim() == OFF {
            return Ok(None);
        }
        C::text(text).map(Some).map_err(|message| format!("{message}; {OFF:?} leaves it out"))
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Fault> {
        match value.get_ref() {
            DeValue::String(text) if text.trim() == OFF => Ok(None),
            _ => C::toml(value).map(Some).map_err(|fault| {
                let message = format!("{}; {OFF:?} leaves it out", fault.message);
                fault.because(message)
            }),
        }
    }

    fn show(value: &Self::Value) -> Value {
        value.as_ref().map_or_else(|| json!(OFF), C::show)
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::super::value::{Whole, to_toml};
    use super::*;

    fn from_file<C: Codec>(text: &str) -> Result<C::Value, String> {
        let document = format!("x = {text}");
        let table = DeTable::parse(&document).map_err(|error| error.message().to_owned())?;
        C::toml(table.get_ref().get("x").ok_or("no x")?).map_err(|fault| fault.message)
    }

    #[test]
    fn fractions_read_back_exactly_as_they_show() {
        for number in [0.95, 1.0, 0.1 + 0.2, 1e-300, f64::MAX, -0.0, 5e-324] {
            let shown = to_toml(&Fraction::show(&number));
            assert_eq!(Fraction::text(&shown).map(f64::to_bits), Ok(number.to_bits()), "{shown} in a variable");
            assert_eq!(from_file::<Fraction>(&shown).map(f64::to_bits), Ok(number.to_bits()), "{shown} in the file");
        }
    }

    #[test]
    fn only_finite_numbers_are_fractions() {
        assert_eq!(from_file::<Fraction>("1"), Ok(1.0));
        assert_eq!(from_file::<Fraction>("1_000.5"), Ok(1000.5));
        for text in ["nan", "inf", "-inf", "1e999", "\"0.5\"", "0x10", "true"] {
            assert!(from_file::<Fraction>(text).is_err(), "{text} passes for a fraction");
        }
        assert_eq!(Fraction::text("x").unwrap_err(), "expected a number such as 0.95, found \"x\"");
    }

    #[test]
    fn off_is_no_value() {
        assert_eq!(from_file::<OrOff<Fraction>>("\"off\""), Ok(None));
        assert_eq!(from_file::<OrOff<Whole<u64>>>("50"), Ok(Some(50)));
        assert_eq!(OrOff::<Fraction>::text("off"), Ok(None));
        assert_eq!(OrOff::<Fraction>::show(&None), json!("off"));
        assert_eq!(OrOff::<Fraction>::show(&Some(1.0)), json!(1.0));
        assert_eq!(
            from_file::<OrOff<Fraction>>("\"of\"").unwrap_err(),
            "expected a number such as 0.95, found text; \"off\" leaves it out"
        );
    }
}
