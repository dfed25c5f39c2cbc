/// The unit that publishes the lines, and clears the stream at its start.
pub const PUBLISHER: &str = "quantum-utf-publisher.service";

/// The unit that counts them.
pub const COUNTER: &str = "quantum-clm-minimal.service";

/// The two that must not run beside us: they write what we write.
pub const UNITS: [&str; 2] = [PUBLISHER, COUNTER];

#[cfg(test)]
mod tests {
    use super::*;

    /// The package's script cannot take them from here.
    #[test]
    fn the_package_looks_for_the_same() {
        let script = include_str!("../../debian/quantum-clm.postinst");
        let names = UNITS.map(|unit| unit.trim_end_matches(".service")).join(" ");
        assert!(script.contains(&format!("for unit in {names}; do")), "postinst does not look for {names}");
    }
}
