use serde_json::{Map, Value};

use super::message::{Malformed, object};
use super::{Fields, MESSAGE_BYTES};
use crate::domain::model::ModelId;

/// What is counted of a closed trade: whose it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trade {
    /// The model that decided it, where it is named; whether there is such a model is the registry's to say.
    pub model: Option<ModelId>,
    /// What was traded, in lower case and without separators, as in the ids of models.
    pub symbol: Option<String>,
}

impl Trade {
    /// Reads a trade (SPEC §4.4): flat fields, or one JSON object in whichever field. Writers differ, so nothing is asked
    /// of it but that it names a model or a symbol.
    pub fn read(fields: &Fields) -> Result<Self, Malformed> {
        if fields.is_too_large() {
            return Err(Malformed::new("the message", format!("it has more than {MESSAGE_BYTES} bytes")));
        }
        let flat = |name: &str| fields.get(name).and_then(|value| std::str::from_utf8(value).ok()).map(str::to_owned);
        let whole = fields.iter().find(|(_, value)| value.trim_ascii_start().starts_with(b"{"));
        let inner = match whole {
            Some((name, json)) if flat("symbol").is_none() => object(&String::from_utf8_lossy(name), json)?,
            _ => Map::new(),
        };
        let get = |name: &str| match inner.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => flat(name),
        };
        let model = get("model_id").or_else(|| get("model")).and_then(|text| text.trim().parse().ok());
        let symbol = get("symbol").and_then(|text| plain(&text));
        if model.is_none() && symbol.is_none() {
            return Err(Malformed::new("the message", "it names neither a symbol nor a model"));
        }
        Ok(Self { model, symbol })
    }
}

/// `BTC/USDT`, `btc-usdt` and `BTCUSDT` are the same.
fn plain(symbol: &str) -> Option<String> {
    let separator = |c: &char| !matches!(c, '/' | '-' | '_' | ':' | ' ');
    let plain: String = symbol.chars().filter(separator).map(|c| c.to_ascii_lowercase()).collect();
    let fits = (1..=32).contains(&plain.len()) && plain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    fits.then_some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Fields, and the model and symbol that they name.
    type Row<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, Option<&'a str>);

    #[test]
    fn writers_differ() {
        let json = r#"{"timestamp":"2026-01-17T03:46:06Z","symbol":"BTCUSDT","side":"BUY","model_id":"xgboost_btcusdt_1h","pnl_percent":null}"#;
        let of_nobody = r#"{"symbol":"ETH-USDT","model_id":null}"#;
        let table: [Row<'_>; 7] = [
            (&[("symbol", "BTC/USDT"), ("side", "SELL"), ("exit_price", "1")], None, Some("btcusdt")),
            (&[("symbol", "BTCUSDT"), ("model", "xgboost_btcusdt_1h")], Some("xgboost_btcusdt_1h"), Some("btcusdt")),
            (&[("symbol", "BTCUSDT"), ("model", "")], None, Some("btcusdt")),
            (&[("payload", json)], Some("xgboost_btcusdt_1h"), Some("btcusdt")),
            (&[("event_type", "trade.closed"), ("data", of_nobody)], None, Some("ethusdt")),
            (&[("symbol", "BTCUSDT"), ("reason", "{not json")], None, Some("btcusdt")),
            (&[("model", "rl_v3_multi_1h")], Some("rl_v3_multi_1h"), None),
        ];
        for (fields, model, symbol) in table {
            let trade = Trade::read(&Fields::of(fields.iter().copied())).expect("a trade");
            assert_eq!(trade.model.as_ref().map(ModelId::as_str), model, "{fields:?}");
            assert_eq!(trade.symbol.as_deref(), symbol, "{fields:?}");
        }
        for fields in [&[][..], &[("side", "BUY")], &[("symbol", "")], &[("payload", "{")], &[("payload", "{}")]] {
            assert!(Trade::read(&Fields::of(fields.iter().copied())).is_err(), "{fields:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(fields in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..4)) {
            let _ = Trade::read(&Fields::new(fields));
        }
    }
}
