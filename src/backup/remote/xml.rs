//! What a store says in XML: small documents of elements and text, of which namespaces and attributes mean nothing.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// The most elements of a document: a page of a thousand objects has some eight thousand.
const ELEMENTS: usize = 20_000;

/// How deep they may lie in each other.
const DEPTH: usize = 16;

/// An element, without its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    /// All of its own text.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Its text; empty where it is not there.
    pub(super) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.trim())
    }

    /// All children of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// A text that is no such document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no XML of a store: {0}")]
pub(super) struct BadXml(String);

/// Reads a document.
pub(super) fn parse(bytes: &[u8]) -> Result<Element, BadXml> {
    let bad = |why: &dyn std::fmt::Display| BadXml(why.to_string());
    let text = std::str::from_utf8(bytes).map_err(|error| bad(&error))?;
    let mut reader = Reader::from_str(text);
    // The first is the document itself.
    let mut open = vec![Element::default()];
    let mut elements = 0;
    loop {
        let event = reader.read_event().map_err(|error| bad(&error))?;
        let depth = open.len();
        let Some(current) = open.last_mut() else { return Err(bad(&"it ends too often")) };
        match event {
            Event::Start(_) | Event::Empty(_) if elements == ELEMENTS => return Err(bad(&"it has too many elements")),
            Event::Start(_) if depth > DEPTH => return Err(bad(&"it is too deep")),
            Event::Start(start) => {
                elements += 1;
                open.push(named(start.local_name().as_ref()));
            }
            Event::Empty(empty) => {
                elements += 1;
                current.children.push(named(empty.local_name().as_ref()));
            }
            Event::End(_) => {
                let (Some(done), Some(above)) = (open.pop(), open.last_mut()) else {
                    return Err(bad(&"it ends too often"));
                };
                above.children.push(done);
            }
            Event::Text(text) => current.text.push_str(&text.xml10_content()),
            Event::CData(text) => current.text.push_str(&text.into_inner()),
            Event::GeneralRef(entity) => match entity.resolve_char_ref() {
                Ok(Some(c)) => current.text.push(c),
                _ => match resolve_predefined_entity(&entity.into_inner()) {
                    Some(text) => current.text.push_str(text),
                    None => return Err(bad(&"it has an entity that is not XML's own")),
                },
            },
            Event::DocType(_) => return Err(bad(&"it has a document type")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    if open.len() != 1 {
        return Err(bad(&"it breaks off"));
    }
    let document = open.pop().unwrap_or_default();
    document.children.into_iter().next().ok_or_else(|| bad(&"it has no element"))
}

fn named(name: &str) -> Element {
    Element { name: name.to_owned(), ..Element::default() }
}

/// `text` as the content of an element.
pub(super) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_their_text_are_read() {
        let text = br#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>b</Name><Contents><Key>a&amp;b&#x41;</Key><ETag>&quot;e&quot;</ETag></Contents><Contents><Key>c</Key></Contents><Empty/>
</ListBucketResult>"#;
        let list = parse(text).unwrap();
        assert_eq!(list.name, "ListBucketResult");
        let keys: Vec<&str> = list.all("Contents").map(|contents| contents.text_of("Key")).collect();
        assert_eq!(keys, ["a&bA", "c"]);
        assert_eq!(list.all("Contents").next().unwrap().text_of("ETag"), "\"e\"");
        assert!(list.child("Empty").is_some() && list.text_of("None").is_empty());
    }

    #[test]
    fn what_could_hurt_is_refused() {
        let deep = "<a>".repeat(100_000);
        let many = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS + 1));
        let cases = [
            ("", "no element"),
            ("{\"not\": \"xml\"}", "no element"),
            ("<a><b></a>", ""),
            ("<a>", "breaks off"),
            ("<!DOCTYPE a [<!ENTITY x \"yyyy\">]><a>&x;</a>", "document type"),
            ("<a>&x;</a>", "entity"),
            (deep.as_str(), "too deep"),
            (many.as_str(), "too many"),
        ];
        for (text, why) in cases {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.0.contains(why), "{}: {error}", &text[..text.len().min(40)]);
        }
        assert!(parse(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn text_of_ours_stays_text() {
        assert_eq!(parse(format!("<a>{}</a>", escape("<&\"x")).as_bytes()).unwrap().text, "<&\"x");
    }
}
