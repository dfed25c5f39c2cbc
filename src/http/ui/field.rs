//! A form's field with everything that belongs to one: its label, what it held, what was wrong with it, and what
//! browsers and screen readers need to know.

use std::fmt::{self, Write as _};

use askama::Template;
use askama::filters::HtmlSafe;

/// One field, as the template `field.html` writes it.
#[derive(Clone, Debug, Template)]
#[template(path = "field.html")]
pub(in crate::http) struct Field {
    /// Also its id: a page has one field of a name.
    name: &'static str,
    label: &'static str,
    control: Control,
    value: String,
    hint: String,
    misfit: String,
    autocomplete: &'static str,
    required: bool,
    focused: bool,
    no_capitals: bool,
    most: Option<usize>,
}

#[derive(Clone, Debug)]
enum Control {
    /// An `input` of this type.
    Line(&'static str),
    /// An `input` for a number.
    Number { least: u64, most: u64 },
    /// A `textarea` of so many lines.
    Text { rows: u8 },
    /// A `select`.
    Choice(Vec<Choice>),
}

/// One of several to choose from.
#[derive(Clone, Debug)]
pub(in crate::http) struct Choice {
    /// What is sent.
    pub(in crate::http) value: String,
    /// What is read.
    pub(in crate::http) words: String,
}

impl Choice {
    /// A choice by what is sent and what is read.
    pub(in crate::http) fn new(value: impl Into<String>, words: impl Into<String>) -> Self {
        Self { value: value.into(), words: words.into() }
    }
}

// Everything that came from outside is escaped by its own template.
impl HtmlSafe for Field {}

impl Field {
    fn new(name: &'static str, label: &'static str, control: Control) -> Self {
        Self {
            name,
            label,
            control,
            value: String::new(),
            hint: String::new(),
            misfit: String::new(),
            autocomplete: "",
            required: true,
            focused: false,
            no_capitals: false,
            most: None,
        }
    }

    /// A line of text that must not be empty.
    pub(in crate::http) fn line(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Control::Line("text"))
    }

    /// Some sentences.
    pub(in crate::http) fn text(name: &'static str, label: &'static str, rows: u8) -> Self {
        Self::new(name, label, Control::Text { rows })
    }

    /// A password. It is never written back, so it has no value.
    pub(in crate::http) fn password(name: &'static str, label: &'static str, autocomplete: &'static str) -> Self {
        Self { autocomplete, ..Self::new(name, label, Control::Line("password")) }
    }

    /// One of several.
    pub(in crate::http) fn choice(name: &'static str, label: &'static str, options: Vec<Choice>) -> Self {
        Self::new(name, label, Control::Choice(options))
    }

    /// A whole number in a range.
    pub(in crate::http) fn number(name: &'static str, label: &'static str, least: u64, most: u64) -> Self {
        Self::new(name, label, Control::Number { least, most })
    }

    /// May be left empty.
    pub(in crate::http) fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// What it holds.
    pub(in crate::http) fn value(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    /// What belongs into it.
    pub(in crate::http) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// What is wrong with what it held; empty if nothing is.
    pub(in crate::http) fn misfit(self, misfit: impl Into<String>) -> Self {
        Self { misfit: misfit.into(), ..self }
    }

    /// What a browser may fill it with.
    pub(in crate::http) fn autocomplete(self, autocomplete: &'static str) -> Self {
        Self { autocomplete, ..self }
    }

    /// The most characters that it takes.
    pub(in crate::http) fn most(self, most: usize) -> Self {
        Self { most: Some(most), ..self }
    }

    /// Where the keyboard is when the page opens.
    pub(in crate::http) fn focused(self) -> Self {
        Self { focused: true, ..self }
    }

    /// A telephone's keyboard does not begin it with a capital, nor corrects it.
    pub(in crate::http) fn no_capitals(self) -> Self {
        Self { no_capitals: true, ..self }
    }

    /// The attributes that both kinds of control have, none of which holds anything from outside.
    fn attributes(&self) -> Attributes<'_> {
        Attributes(self)
    }
}

struct Attributes<'a>(&'a Field);

impl fmt::Display for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.0;
        if field.required {
            f.write_str(" required")?;
        }
        if !field.autocomplete.is_empty() {
            write!(f, " autocomplete=\"{}\"", field.autocomplete)?;
        }
        let mut described = String::new();
        for (there, what) in [(!field.hint.is_empty(), "hint"), (!field.misfit.is_empty(), "misfit")] {
            if there {
                let space = if described.is_empty() { "" } else { " " };
                write!(described, "{space}{}-{what}", field.name)?;
            }
        }
        if !described.is_empty() {
            write!(f, " aria-describedby=\"{described}\"")?;
        }
        if !field.misfit.is_empty() {
            f.write_str(" aria-invalid=\"true\"")?;
        }
        if field.no_capitals {
            f.write_str(" autocapitalize=\"none\" spellcheck=\"false\"")?;
        }
        if field.focused { f.write_str(" autofocus") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_says_what_it_is_and_what_was_wrong() {
        let field = Field::line("name", "Name").value("<b>\"x\"</b>").hint("short").misfit("a < b").most(32);
        assert_eq!(
            field.to_string(),
            "<div class=\"field\">\n<label for=\"name\">Name</label>\n\
             <input id=\"name\" name=\"name\" type=\"text\" value=\"&#60;b&#62;&#34;x&#34;&#60;/b&#62;\" maxlength=\"32\" required \
             aria-describedby=\"name-hint name-misfit\" aria-invalid=\"true\">\n\
             <p class=\"hint\" id=\"name-hint\">short</p>\n<p class=\"misfit\" id=\"name-misfit\">a &#60; b</p>\n</div>"
        );
    }

    #[test]
    fn a_choice_keeps_what_was_chosen() {
        let options = vec![Choice::new("viewer", "viewer"), Choice::new("admin", "admin")];
        let field = Field::choice("role", "Role", options).value("admin").optional().to_string();
        assert!(field.contains("<option value=\"admin\" selected>admin</option>"), "{field}");
        assert!(!field.contains("required") && !field.contains("value=\"viewer\" selected"), "{field}");
    }

    #[test]
    fn a_password_is_for_the_browsers_own_store() {
        let field = Field::password("password", "Password", "current-password").focused().to_string();
        assert!(field.contains("type=\"password\" required autocomplete=\"current-password\" autofocus>"), "{field}");
    }
}
