use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use hyper::Uri;
use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, key, nearest};
use super::secret::{Secret, SecretError, read_secret};
use super::url;
use super::value::{self, Codec, Fault};
use crate::domain::bus::PUBLISHED;
use crate::domain::webhook::WebhookName;

const DAY: Duration = Duration::from_secs(86_400);

/// `[notify]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notify {
    /// `[notify.webhooks.<name>]`
    pub webhooks: BTreeMap<WebhookName, Webhook>,
}

/// `[notify.webhooks.<name>]`
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// Where events are posted to.
    pub url: WebhookUrl,
    /// What they are signed with.
    pub secret_file: PathBuf,
    /// Which certificates sign the receiver's, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Which events; all where it is empty.
    pub events: Vec<String>,
    /// Whether events may go over the network unencrypted.
    pub allow_http: bool,
    /// How long an event is tried.
    pub give_up_after: Duration,
}

impl Webhook {
    /// Whether events of this type are for it.
    pub fn wants(&self, event_type: &str) -> bool {
        self.events.is_empty() || self.events.iter().any(|wanted| wanted == event_type)
    }

    /// The secrets of its file, one a line: where there are several, as while one takes the place of another, each signs.
    /// The file is read anew each time.
    pub fn secrets(&self) -> Result<Vec<Secret>, SecretError> {
        self.secrets_with(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).as_deref())
    }

    fn secrets_with(&self, credentials: Option<&Path>) -> Result<Vec<Secret>, SecretError> {
        let text = read_secret(&self.secret_file, credentials)?;
        let lines = text.expose().lines().map(str::trim).filter(|line| !line.is_empty());
        Ok(lines.map(|line| Secret::new(line.to_owned())).collect())
    }
}

/// Where a webhook's events go. What is printed of it has no query: that is where receivers put their keys.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Uri);

impl WebhookUrl {
    /// The whole of it, for the one place that sends to it.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// Scheme, host and port: what anybody may see who may see that there is a webhook.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.0.scheme_str().unwrap_or_default(), self.0.authority().map_or("", |a| a.as_str()))
    }

    /// Whether it is encrypted.
    pub fn is_https(&self) -> bool {
        url::is_https(&self.0)
    }

    /// Whether it stays on this machine.
    fn is_loopback(&self) -> bool {
        url::is_loopback(&self.0)
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.0.path())?;
        f.write_str(if self.0.query().is_some() { "?***" } else { "" })
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// No message repeats the text: it may hold a secret.
impl FromStr for WebhookUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|_| "is not a URL: write it as \"https://host/path\"".to_owned())?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err("must begin with https://".into());
        }
        match uri.authority().map(|authority| authority.as_str()) {
            None | Some("") => return Err("has no host: write it as \"https://host/path\"".into()),
            Some(authority) if authority.contains('@') => {
                return Err("must not hold a user or a password: receivers know us by the signature".into());
            }
            Some(_) => {}
        }
        if uri.host().unwrap_or_default().is_empty() {
            return Err("has no host: write it as \"https://host/path\"".into());
        }
        Ok(Self(uri))
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            notify.webhooks,
            Webhooks,
            check,
            "Who is told of models' events by a signed HTTPS request: for each receiver its url, and in secret_file what \
             the request is signed with (Standard Webhooks): a name of a file in /etc/quantum/credentials, or a whole \
             path. Where events names some, only those; ca_file names private certificates, allow_http = true permits \
             http:// beyond this machine, give_up_after = \"3d\" says how long an event is tried."
        )
        .table(
            "ops = { url = \"https://ops.example/hook\", secret_file = \"ops.secret\", events = \
             [\"clm.model_promoted\"] }",
        ),
    ]
}

fn check(webhooks: &BTreeMap<WebhookName, Webhook>) -> Result<(), String> {
    for (name, webhook) in webhooks {
        if !webhook.url.is_https() && !webhook.url.is_loopback() && !webhook.allow_http {
            return Err(format!(
                "the url of \"{name}\" is not encrypted and leads off this machine: use https://, or set allow_http = true"
            ));
        }
    }
    Ok(())
}

/// A table of tables, one a webhook.
struct Webhooks;

/// What `[notify.webhooks.<name>]` may hold.
const WEBHOOK_KEYS: [&str; 6] = ["url", "secret_file", "ca_file", "events", "allow_http", "give_up_after"];

impl Codec for Webhooks {
    type Value = BTreeMap<WebhookName, Webhook>;

    fn text(text: &str) -> Result<Self::Value, String> {
        let document = format!("webhooks = {text}");
        let example = "write it as { name = { url = \"https://…\", secret_file = \"…\" } }";
        let table = DeTable::parse(&document).map_err(|error| format!("{}: {example}", error.message()))?;
        let table = table.get_ref();
        let webhooks = table.get("webhooks").filter(|_| table.len() == 1).ok_or_else(|| example.to_owned())?;
        Self::toml(webhooks).map_err(|fault| fault.message)
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Fault> {
        let mut webhooks = BTreeMap::new();
        for (name, value) in value::table(value)? {
            let at = |message: String| Fault { at: Some(name.span().start), message };
            let parsed: WebhookName =
                name.get_ref().parse().map_err(|error| at(format!("{:?}: {error}", name.get_ref())))?;
            let table = value::table(value)
                .map_err(|fault| fault.because(format!("{parsed:?} takes {}", WEBHOOK_KEYS.join(", "))))?;
            let webhook = webhook(&parsed, table, name.span().start)?;
            webhooks.insert(parsed, webhook);
        }
        Ok(webhooks)
    }

    fn show(webhooks: &Self::Value) -> Value {
        let shown = webhooks.iter().map(|(name, webhook)| {
            let mut object = Map::new();
            object.insert("url".into(), json!(webhook.url.to_string()));
            object.insert("secret_file".into(), value::File::show(&webhook.secret_file));
            if webhook.ca_file.is_some() {
                object.insert("ca_file".into(), value::OptionalFile::show(&webhook.ca_file));
            }
            if !webhook.events.is_empty() {
                object.insert("events".into(), json!(webhook.events));
            }
            if webhook.allow_http {
                object.insert("allow_http".into(), json!(true));
            }
            object.insert("give_up_after".into(), value::Time::show(&webhook.give_up_after));
            (name.as_str().to_owned(), Value::Object(object))
        });
        Value::Object(shown.collect())
    }
}

/// Reads what stands at `at` in the file.
fn webhook(name: &WebhookName, table: &DeTable<'_>, at: usize) -> Result<Webhook, Fault> {
    let (mut url, mut secret_file) = (None, None);
    let (mut ca_file, mut events, mut allow_http, mut give_up_after) = (None, Vec::new(), false, 3 * DAY);
    for (key, value) in table {
        let named = |fault: Fault| {
            let message = format!("{} of \"{name}\": {}", key.get_ref(), fault.message);
            fault.because(message)
        };
        match key.get_ref().as_ref() {
            "url" => {
                let text = value::Text::toml(value).map_err(named)?;
                url = Some(text.parse::<WebhookUrl>().map_err(|message| named(Fault::at(value, message)))?);
            }
            "secret_file" => secret_file = value::OptionalFile::toml(value).map_err(named)?,
            "ca_file" => ca_file = value::OptionalFile::toml(value).map_err(named)?,
            "events" => {
                events = value::Words::toml(value).map_err(named)?;
                known(&events).map_err(|message| named(Fault::at(value, message)))?;
            }
            "allow_http" => allow_http = value::Switch::toml(value).map_err(named)?,
            "give_up_after" => {
                give_up_after = value::Time::toml(value).map_err(named)?;
                if !(DAY / 1_440..=30 * DAY).contains(&give_up_after) {
                    return Err(named(Fault::at(value, "must be from 1m to 30d")));
                }
            }
            other => {
                let hint = nearest(other, WEBHOOK_KEYS).map_or_else(
                    || format!("a webhook takes {}", WEBHOOK_KEYS.join(", ")),
                    |near| format!("did you mean {near:?}?"),
                );
                let message = format!("unknown key {other:?} of \"{name}\": {hint}");
                return Err(Fault { at: Some(key.span().start), message });
            }
        }
    }
    let missing =
        |key: &str| Fault { at: Some(at), message: format!("\"{name}\" has no {key}: every webhook needs one") };
    let url = url.ok_or_else(|| missing("url"))?;
    let secret_file = secret_file.ok_or_else(|| missing("secret_file"))?;
    Ok(Webhook { url, secret_file, ca_file, events, allow_http, give_up_after })
}

fn known(events: &[String]) -> Result<(), String> {
    match events.iter().find(|event| !PUBLISHED.contains(&event.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(nearest(unknown, PUBLISHED).map_or_else(
            || format!("there is no event {unknown:?}: there are {}", PUBLISHED.join(", ")),
            |near| format!("there is no event {unknown:?}: did you mean {near:?}?"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<WebhookName, Webhook>, String> {
        Webhooks::text(text).and_then(|webhooks| check(&webhooks).map(|()| webhooks))
    }

    #[test]
    fn a_webhook_and_what_is_shown_of_it() {
        let webhooks = read(
            "{ ops = { url = \"https://h.example:8443/a/b?key=s3cret\", secret_file = \"ops\", events = \
             [\"clm.model_promoted\"], give_up_after = \"12h\", ca_file = \"/ca.pem\" } }",
        )
        .unwrap();
        let ops = &webhooks[&"ops".parse().unwrap()];
        assert!(ops.wants("clm.model_promoted") && !ops.wants("clm.model_trained"));
        assert_eq!(ops.url.uri().query(), Some("key=s3cret"));
        assert_eq!(ops.url.origin(), "https://h.example:8443");
        let shown = Webhooks::show(&webhooks);
        assert_eq!(
            shown,
            json!({"ops": {
                "url": "https://h.example:8443/a/b?***", "secret_file": "ops", "ca_file": "/ca.pem",
                "events": ["clm.model_promoted"], "give_up_after": "12h",
            }})
        );
        assert!(!format!("{webhooks:?}").contains("s3cret"), "{webhooks:?}");
    }

    #[test]
    fn what_is_refused() {
        let of = |rest: &str| format!("{{ ops = {{ secret_file = \"s\", {rest} }} }}");
        for (text, part) in [
            ("5".to_owned(), "expected a table"),
            ("{ ops = 5 }".to_owned(), "takes url"),
            ("{ \"O ps\" = {} }".to_owned(), "small letters"),
            ("{ ops = { url = \"https://h/\" } }".to_owned(), "\"ops\" has no secret_file"),
            (of(""), "\"ops\" has no url"),
            (of("url = \"ftp://h/\""), "must begin with https://"),
            (of("url = \"https:///x\""), "url of \"ops\""),
            (of("url = \"/x\""), "must begin with https://"),
            (of("url = \"https://u:s3cret@h/\""), "must not hold a user or a password"),
            (of("url = \"http://h/\""), "use https://, or set allow_http = true"),
            (of("url = \"https://h/\", event = [\"x\"]"), "unknown key \"event\" of \"ops\": did you mean \"events\"?"),
            (of("url = \"https://h/\", events = [\"clm.model_promotd\"]"), "did you mean \"clm.model_promoted\"?"),
            (of("url = \"https://h/\", allow_http = 1"), "expected true or false"),
            (of("url = \"https://h/\", give_up_after = \"31d\""), "from 1m to 30d"),
        ] {
            let message = read(&text).unwrap_err();
            assert!(message.contains(part) && !message.contains("s3cret"), "{text}: {message}");
        }
        for url in ["http://127.0.0.1:80/", "http://[::1]/", "http://localhost:9/x", "https://h"] {
            assert!(read(&of(&format!("url = \"{url}\""))).is_ok(), "{url}");
        }
        assert!(read(&of("url = \"http://h/\", allow_http = true")).is_ok());
    }

    #[test]
    fn several_secrets_a_line_each() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ops");
        std::fs::write(&file, "new one\n\nold one\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let webhooks = read("{ ops = { url = \"https://h\", secret_file = \"ops\" } }").unwrap();
        let secrets = webhooks[&"ops".parse().unwrap()].secrets_with(Some(directory.path())).unwrap();
        assert_eq!(secrets.iter().map(Secret::expose).collect::<Vec<_>>(), ["new one", "old one"]);
    }
}
