use std::collections::BTreeMap;

/// The `source` of units that nobody named.
pub const UNKNOWN_SOURCE: &str = "unknown";

/// The trading service behind a unit (SPEC §4.1): as `configured`, else by the built-in table. An instance
/// (`name@7.service`) has the source of its template, and may be configured by the template's name (`name@.service`).
pub fn source_of<'a>(unit: &str, configured: &'a BTreeMap<String, String>) -> &'a str {
    if let Some(source) = configured.get(unit) {
        return source;
    }
    let (stem, kind) = unit.rsplit_once('.').unwrap_or((unit, "service"));
    let name = stem.split_once('@').map_or(stem, |(template, _)| template);
    if name.len() < stem.len()
        && let Some(source) =
            configured.get(&format!("{name}@.{kind}")).or_else(|| configured.get(&format!("{name}@*.{kind}")))
    {
        return source;
    }
    match name.strip_prefix("quantum-").unwrap_or(name) {
        "ai-engine" => "ai_engine",
        "strategy-brain" => "strategy",
        "risk-brain" => "risk",
        "execution" | "execution-engine" => "execution",
        _ => UNKNOWN_SOURCE,
    }
}

const UNIT_TYPES: [&str; 11] =
    ["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];

/// Whether `name` ends in the type of a unit (`.service`).
pub fn has_unit_type(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, suffix)| UNIT_TYPES.contains(&suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_and_configured() {
        let configured: BTreeMap<String, String> = [
            ("quantum-ai-engine.service", "brain"),
            ("feed@.service", "feed"),
            ("tape@*.service", "tape"),
            ("feed@2.service", "second_feed"),
        ]
        .map(|(unit, source)| (unit.to_owned(), source.to_owned()))
        .into();
        let none = BTreeMap::new();
        for (unit, configured, expect) in [
            ("quantum-ai-engine.service", &none, "ai_engine"),
            ("quantum-ai-engine.service", &configured, "brain"),
            ("ai-engine.service", &configured, "ai_engine"),
            ("quantum-strategy-brain.service", &none, "strategy"),
            ("quantum-risk-brain.service", &none, "risk"),
            ("quantum-execution.service", &none, "execution"),
            ("quantum-execution-engine@eu.service", &none, "execution"),
            ("quantum-portfolio.service", &none, "unknown"),
            ("feed@1.service", &configured, "feed"),
            ("feed@2.service", &configured, "second_feed"),
            ("tape@2.service", &configured, "tape"),
            ("feed.service", &configured, "unknown"),
            ("", &none, "unknown"),
        ] {
            assert_eq!(source_of(unit, configured), expect, "{unit}");
        }
    }
}
