//! One look at Redis, for `doctor`.

use super::condition::MirrorError;
use super::connection::Connection;
use super::settings::Timing;
use crate::config::Redis;

/// What Redis said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it is, without credentials.
    pub at: String,
    /// Its version, where it tells.
    pub version: Option<String>,
    /// Whether it is a replica, which takes no writes.
    pub replica: bool,
}

/// Why Redis is of no use to the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong.
    pub summary: String,
    /// What to do.
    pub remedy: String,
}

/// Connects and signs in as the mirror does, and asks who is there. Writes nothing. `None` where there is no mirror.
pub async fn probe(config: &Redis) -> Result<Option<Seen>, Trouble> {
    if config.url.is_empty() {
        return Ok(None);
    }
    let trouble = |error: MirrorError| Trouble { summary: error.summary(), remedy: error.remedy() };
    let mut connection = Connection::open(config, Timing::default().answer).await.map_err(trouble)?;
    connection.ask(&[b"PING"]).await.map_err(trouble)?;
    let info = match connection.ask(&[b"INFO"]).await {
        Ok(reply) => reply.text().unwrap_or_default().to_owned(),
        // An access control that does not allow INFO is no obstacle to the mirror.
        Err(error) if error.is_refusal() => String::new(),
        Err(error) => return Err(trouble(error)),
    };
    let at = connection.at().to_string();
    Ok(Some(Seen { at, version: field(&info, "redis_version"), replica: is_replica(&info) }))
}

fn field(info: &str, name: &str) -> Option<String> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(|value| value.trim().to_owned())
}

fn is_replica(info: &str) -> bool {
    field(info, "role").as_deref() == Some("slave")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_info() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_version_x:1\r\n# Replication\r\nrole:slave\r\n";
        assert_eq!(field(info, "redis_version").as_deref(), Some("7.0.15"));
        assert!(is_replica(info) && !is_replica("role:master\r\n"));
    }
}
