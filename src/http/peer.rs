use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::domain::access::{Actor, ActorKind, Grant};
use crate::domain::id::{SessionId, TokenId};
pub use crate::domain::role::Role;

/// The group whose members are admins over the unix socket.
pub const ADMIN_GROUP: &str = "quantum-admin";

/// Who is at the other end of a connection. Every request carries it as an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Somebody on the network, or on this machine over it.
    Tcp(SocketAddr),
    /// A process of this machine, as the kernel saw it when it connected.
    Unix {
        /// Its user.
        uid: u32,
        /// Its primary group.
        gid: u32,
        /// Its process id, where the kernel says it.
        pid: Option<i32>,
    },
}

impl Peer {
    /// Where a request comes from, for the audit log.
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(address) => address.ip().to_string(),
            Self::Unix { .. } => "socket".to_owned(),
        }
    }
}

/// By what a caller is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// By nothing.
    None,
    /// By being a process of this machine.
    Socket,
    /// By the cookie of a session.
    Session {
        /// The session.
        id: SessionId,
        /// What its forms must carry.
        csrf: String,
    },
    /// By an API token.
    Token(TokenId),
}

/// Who asks, and what they may do. Handlers find it as an extension; `name` is what goes into the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's or token's name, `uid:<n>` where a process's user has none, or `anonymous`.
    pub name: String,
    /// What the credential allows.
    pub grant: Grant,
    /// By what the caller is known. A known one who may not is refused with 403, an unknown one with 401.
    pub credential: Credential,
}

impl Caller {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self { name: "anonymous".to_owned(), grant: Grant::NONE, credential: Credential::None }
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.grant.role()
    }

    /// Whether there is a credential at all.
    pub fn is_known(&self) -> bool {
        self.credential != Credential::None
    }

    /// What the forms of this caller's pages must carry; empty without a session.
    pub fn csrf(&self) -> &str {
        match &self.credential {
            Credential::Session { csrf, .. } => csrf,
            _ => "",
        }
    }

    /// To whom what is kept for this caller belongs: names are one's own only within a kind of credential.
    pub fn owner(&self) -> String {
        match &self.credential {
            Credential::Token(id) => format!("token {id}"),
            Credential::Socket => format!("process {}", self.name),
            Credential::None | Credential::Session { .. } => format!("user {}", self.name),
        }
    }

    /// Who does what is asked for from `address`.
    pub fn actor(&self, address: String) -> Actor {
        let kind = match self.credential {
            Credential::None | Credential::Session { .. } => ActorKind::Person,
            Credential::Token(_) => ActorKind::Token,
            Credential::Socket => ActorKind::Local,
        };
        Actor { name: self.name.clone(), address, kind }
    }
}

/// Tells who a peer is. Reads the user and group files by itself, and again for each request: glibc's name service
/// must not be linked, and somebody who was added to the group should not have to wait for a restart.
#[derive(Clone, Debug)]
pub struct Admins {
    own_uid: u32,
    group_file: PathBuf,
    passwd_file: PathBuf,
}

impl Default for Admins {
    fn default() -> Self {
        Self::from_files("/etc/group", "/etc/passwd")
    }
}

impl Admins {
    /// Reads other files than the system's.
    pub fn from_files(group: impl Into<PathBuf>, passwd: impl Into<PathBuf>) -> Self {
        Self { own_uid: rustix::process::geteuid().as_raw(), group_file: group.into(), passwd_file: passwd.into() }
    }

    /// The caller behind a peer: over TCP nobody is known by the connection alone.
    pub fn caller(&self, peer: &Peer) -> Caller {
        match *peer {
            Peer::Tcp(_) => Caller::anonymous(),
            Peer::Unix { uid, gid, .. } => {
                let users = read(&self.passwd_file);
                let user = users.lines().filter_map(User::parse).find(|user| user.uid == uid);
                let admin = uid == 0 || uid == self.own_uid || {
                    let groups = read(&self.group_file);
                    let group = groups.lines().filter_map(Group::parse).find(|group| group.name == ADMIN_GROUP);
                    group.is_some_and(|group| group.has(gid, user.as_ref()))
                };
                let name = user.map_or_else(|| format!("uid:{uid}"), |user| user.name.to_owned());
                let role = if admin { Role::Admin } else { Role::Open };
                Caller { name, grant: Grant::Role(role), credential: Credential::Socket }
            }
        }
    }

    /// The number of the admin group, where the machine has one.
    pub fn group_id(&self) -> Option<u32> {
        read(&self.group_file).lines().filter_map(Group::parse).find(|group| group.name == ADMIN_GROUP).map(|g| g.gid)
    }
}

/// Without the file nobody is in the group, and root and the daemon's own user still are admins.
fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// A line of passwd(5).
struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
}

impl<'a> User<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { name, uid, gid })
    }
}

/// A line of group(5).
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: BTreeSet<&'a str>,
}

impl<'a> Group<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let gid = fields.nth(1)?.parse().ok()?;
        let members = fields.next()?.split(',').map(str::trim).filter(|member| !member.is_empty()).collect();
        Some(Self { name, gid, members })
    }

    /// Whether a process of this group or this user belongs to it: by its own group, the user's primary group, or name.
    fn has(&self, gid: u32, user: Option<&User<'_>>) -> bool {
        gid == self.gid || user.is_some_and(|user| user.gid == self.gid || self.members.contains(user.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_ourselves_and_the_group_are_admin() {
        let dir = tempfile::tempdir().unwrap();
        let (group, passwd) = (dir.path().join("group"), dir.path().join("passwd"));
        std::fs::write(&group, "root:x:0:\n# a comment\nbroken\nadm:x:4:dave\nquantum-admin:x:990:alice, bob,\n")
            .unwrap();
        std::fs::write(
            &passwd,
            "root:x:0:0::/:/bin/sh\nalice:x:70001:100::/:\nbob:x:70002:100::/:\ncarol:x:70003:990::/:\n\
             dave:x:70004:4::/:\nodd:x:notanumber:1::/:\n:x:70009:990::/:\nlast:x:70005:100",
        )
        .unwrap();
        let admins = Admins::from_files(&group, &passwd);
        let unix = |uid, gid| Peer::Unix { uid, gid, pid: Some(1) };
        let table = [
            (unix(0, 0), "root", Role::Admin),
            (unix(70001, 100), "alice", Role::Admin),
            (unix(70002, 100), "bob", Role::Admin),
            (unix(70003, 100), "carol", Role::Admin),
            (unix(70004, 4), "dave", Role::Open),
            (unix(70004, 990), "dave", Role::Admin),
            (unix(70005, 100), "last", Role::Open),
            (unix(70009, 100), "uid:70009", Role::Open),
            (unix(70010, 100), "uid:70010", Role::Open),
        ];
        for (peer, name, role) in table {
            let expected = Caller { name: name.to_owned(), grant: Grant::Role(role), credential: Credential::Socket };
            assert_eq!(admins.caller(&peer), expected, "{peer:?}");
        }
        let own = admins.caller(&unix(rustix::process::geteuid().as_raw(), 100));
        assert_eq!(own.role(), Role::Admin);
        let tcp = admins.caller(&Peer::Tcp(SocketAddr::from(([127, 0, 0, 1], 1))));
        assert_eq!((tcp.role(), tcp.is_known()), (Role::Open, false));
        assert_eq!(admins.group_id(), Some(990));
    }

    #[test]
    fn missing_files_leave_root_and_ourselves() {
        let admins = Admins::from_files("/nowhere/group", "/nowhere/passwd");
        let role = |uid| admins.caller(&Peer::Unix { uid, gid: 100, pid: None }).role();
        assert_eq!((role(0), role(70001)), (Role::Admin, Role::Open));
        assert_eq!(admins.group_id(), None);
    }
}
