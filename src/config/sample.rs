use super::Config;
use super::key::{Key, keys};
use super::value::to_toml;

const WIDTH: usize = 100;

/// The sample configuration: every key with its sentence and, commented out, its default.
pub fn sample() -> String {
    let defaults = Config::default();
    let mut text = String::from(
        "# quantum-clm's configuration, /etc/quantum/clm.toml. Every key has the default that is shown here; take away\n\
         # the # before one to change it. `quantum-clm config check` looks for mistakes, `quantum-clm config show` tells\n\
         # where each value comes from. A variable such as QUANTUM_CLM_REDIS_STREAM overrides what is set here.\n",
    );
    let mut section = "";
    for key in keys() {
        let (own, name) = key.split();
        if own != section && key.example.is_none() {
            section = own;
            text.push_str(&format!("\n[{section}]"));
        }
        text.push('\n');
        if let Some(example) = key.example {
            table(&mut text, key, example);
            continue;
        }
        comment(&mut text, key.doc);
        text.push_str(&format!("#{name} = {}\n", to_toml(&key.show(&defaults))));
    }
    text
}

fn table(text: &mut String, key: &Key, example: &str) {
    text.push_str(&format!("[{}]\n", key.name));
    comment(text, key.doc);
    text.push_str(&format!("# For example: {example}\n"));
}

fn comment(text: &mut String, sentence: &str) {
    let mut width = 0;
    for word in sentence.split(' ') {
        if width == 0 || width + 1 + word.chars().count() > WIDTH {
            if width > 0 {
                text.push('\n');
            }
            text.push('#');
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.chars().count();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::file;

    /// `BLESS=1 cargo test sample` writes the file anew.
    #[test]
    fn the_packaged_sample_is_what_the_keys_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/clm.toml");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, sample()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), sample(), "BLESS=1 cargo test sample renews it");
    }

    #[test]
    fn the_sample_sets_nothing_and_uncommented_it_sets_the_defaults() {
        let mut config = Config::default();
        let read = file::apply(Path::new("clm.toml"), &sample(), &mut config);
        assert!(read.errors.is_empty() && read.lines.is_empty(), "{:?} {:?}", read.errors, read.lines);

        let uncommented: Vec<_> = sample()
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned())
            .collect();
        let read = file::apply(Path::new("clm.toml"), &uncommented.join("\n"), &mut config);
        assert_eq!(read.errors, Vec::<String>::new());
        assert_eq!(read.lines.len(), keys().iter().filter(|key| key.example.is_none()).count());
        assert_eq!(config, Config::default());
    }

    #[test]
    fn the_examples_parse() {
        for key in keys() {
            let Some(example) = key.example else { continue };
            let text = format!("[{}]\n{example}\n", key.name);
            let read = file::apply(Path::new("clm.toml"), &text, &mut Config::default());
            assert_eq!(read.errors, Vec::<String>::new(), "{text}");
        }
    }
}
