use super::*;

#[test]
fn every_table_has_a_check() {
    let mut checked: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
    let mut known: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    checked.sort_unstable();
    known.sort_unstable();
    assert_eq!(checked, known, "each table of the registry has one check in CHECKS");
}
