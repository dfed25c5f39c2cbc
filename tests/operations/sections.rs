//! Whatever can call somebody has a section in docs/OPERATIONS.md that says what to do: intents, components of health, alerts. And no
//! section is about what there is no more.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::document::{anchor, headings};
use super::{document, here};

/// The headings that begin like this, without that beginning and without quotes.
fn about(what: &str) -> BTreeSet<String> {
    headings(&document())
        .iter()
        .filter_map(|heading| heading.strip_prefix(what))
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}

/// The product's code, without its tests.
fn sources() -> Vec<String> {
    fn collect(directory: &Path, into: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                collect(&path, into);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).unwrap();
                into.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    collect(&here("src"), &mut found);
    found
}

/// What `begin` is followed by in the text, in quotes; a constant's value where a constant stands there.
fn named(text: &str, begin: &str) -> Vec<String> {
    text.split(begin)
        .skip(1)
        .map(|rest| {
            let word = rest.split([')', ',']).next().unwrap_or_default().trim_start_matches("&format!(").trim();
            let Some(word) = word.strip_prefix('"') else {
                let value = text.split_once(&format!("const {word}: &str = \"")).map(|(_, value)| value);
                let value = value.and_then(|value| value.split_once('"')).map(|(value, _)| value.to_owned());
                return value.unwrap_or_else(|| panic!("`{begin}{word}`: this test cannot tell its name"));
            };
            // What stands in braces differs from one to the next.
            let name = word.trim_end_matches('"');
            name.split_once('{').map_or_else(|| name.to_owned(), |(prefix, _)| format!("{prefix}<name>"))
        })
        .collect()
}

#[track_caller]
fn each_has_its_section(what: &str, there: &BTreeSet<String>) {
    assert!(!there.is_empty(), "this test finds no {what} in the code");
    let told = about(what);
    let untold: Vec<_> = there.difference(&told).collect();
    assert!(untold.is_empty(), "docs/OPERATIONS.md has no section `{what}…` for {untold:?}");
    let gone: Vec<_> = told.difference(there).collect();
    assert!(gone.is_empty(), "docs/OPERATIONS.md has sections `{what}…` for {gone:?}, which there is no more");
}

#[test]
fn each_component_of_health_has_its_section() {
    let there = sources().iter().flat_map(|text| named(text, ".reporter(")).collect();
    each_has_its_section("Component ", &there);
}

#[test]
fn each_intent_has_its_section() {
    let mut there: BTreeSet<String> = quantum_clm::domain::rules::NAMES.map(str::to_owned).into();
    there.extend(quantum_clm::domain::backup::Trouble::ALL.map(|trouble| trouble.rule().to_owned()));
    // Others than rules and backups raise theirs under a constant of this name.
    let raised = sources().into_iter().filter(|text| text.contains("IntentKey {"));
    there.extend(raised.filter_map(|text| {
        let (_, value) = text.split_once("const RULE: &str = \"")?;
        Some(value.split_once('"')?.0.to_owned())
    }));
    each_has_its_section("Intent ", &there);
}

#[test]
fn each_alert_of_prometheus_has_its_section_and_points_there() {
    let rules = fs::read_to_string(here("packaging/prometheus/quantum-clm.rules.yml")).unwrap();
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    let name = |alert: &&str| alert.lines().next().unwrap_or_default().to_owned();
    each_has_its_section(
        "QuantumClm",
        &alerts.iter().map(|alert| name(alert)["QuantumClm".len()..].to_owned()).collect(),
    );
    for alert in alerts {
        let runbook = format!("runbook: docs/OPERATIONS.md#{}\n", anchor(&name(&alert)));
        assert!(alert.contains(&runbook), "the alert {} does not say `{}`", name(&alert), runbook.trim());
    }
}

/// Where the links of a document lead: file and section, as they stand in it.
fn links(text: &str) -> Vec<(&str, Option<&str>)> {
    text.split("](")
        .skip(1)
        .filter_map(|link| link.split(')').next())
        .filter(|link| link.contains(['.', '#']) && !link.contains("://") && !link.contains(char::is_whitespace))
        .map(|link| link.split_once('#').map_or((link, None), |(file, section)| (file, Some(section))))
        .collect()
}

#[test]
fn what_points_to_a_section_finds_one() {
    let documents = fs::read_dir(here("docs")).unwrap().map(|entry| entry.unwrap().path());
    let documents = documents.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    for path in
        ["README.md", "ARCHITECTURE.md", "packaging/kubernetes/README.md"].map(here).into_iter().chain(documents)
    {
        let text = fs::read_to_string(&path).unwrap();
        for (file, section) in links(&text) {
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(to.exists(), "{} points to {file}, which is not there", path.display());
            let Some(section) = section else { continue };
            let there = headings(&fs::read_to_string(&to).unwrap());
            let known = there.iter().any(|heading| anchor(heading) == section);
            assert!(known, "{} points to #{section} of {}, which is not there", path.display(), to.display());
        }
    }
    for mark in super::World::read(&here("tests/operations/world")).marks() {
        let section = mark.split_once(' ').map_or(mark, |(_, section)| section).trim_start_matches("in ");
        let section = section.split(" @ ").next().unwrap_or_default();
        let known = mark.starts_with("made ") || headings(&document()).iter().any(|heading| heading == section);
        assert!(known, "tests/operations/world speaks of the section `{section}`, which is not there");
    }
}

#[test]
fn each_section_is_to_be_found_at_the_top() {
    let document = document();
    let top = document.split("\n## ").next().unwrap_or_default();
    let missing: Vec<_> = headings(&document)
        .into_iter()
        .skip(1)
        .filter(|heading| !top.contains(&format!("](#{})", anchor(heading))))
        .collect();
    assert!(missing.is_empty(), "docs/OPERATIONS.md does not lead to these from its top: {missing:?}");
}
