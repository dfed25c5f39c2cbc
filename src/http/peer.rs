use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

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

/// Who asks, and in which role. Handlers find it as an extension; `name` is what goes into `who` of a change. A layer
/// that authenticates (sessions, tokens) sets the extension before the route's guard looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's name, `uid:<n>` where it has none, or `anonymous`.
    pub name: String,
    /// The role.
    pub role: Role,
    /// Whether the caller is known at all: a known one with too small a role is refused with 403, not 401.
    pub known: bool,
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

    /// The caller behind a peer. Over TCP nobody is known yet.
    pub fn caller(&self, peer: &Peer) -> Caller {
        match *peer {
            Peer::Tcp(_) => Caller { name: "anonymous".to_owned(), role: Role::Open, known: false },
            Peer::Unix { uid, gid, .. } => {
                let users = read(&self.passwd_file);
                let user = users.lines().filter_map(User::parse).find(|user| user.uid == uid);
                let admin = uid == 0 || uid == self.own_uid || {
                    let groups = read(&self.group_file);
                    let group = groups.lines().filter_map(Group::parse).find(|group| group.name == ADMIN_GROUP);
                    group.is_some_and(|group| group.has(gid, user.as_ref()))
                };
                let name = user.map_or_else(|| format!("uid:{uid}"), |user| user.name.to_owned());
                Caller { name, role: if admin { Role::Admin } else { Role::Open }, known: true }
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
            assert_eq!(admins.caller(&peer), Caller { name: name.to_owned(), role, known: true }, "{peer:?}");
        }
        let own = admins.caller(&unix(rustix::process::geteuid().as_raw(), 100));
        assert_eq!(own.role, Role::Admin);
        let tcp = admins.caller(&Peer::Tcp(SocketAddr::from(([127, 0, 0, 1], 1))));
        assert_eq!((tcp.role, tcp.known), (Role::Open, false));
        assert_eq!(admins.group_id(), Some(990));
    }

    #[test]
    fn missing_files_leave_root_and_ourselves() {
        let admins = Admins::from_files("/nowhere/group", "/nowhere/passwd");
        let role = |uid| admins.caller(&Peer::Unix { uid, gid: 100, pid: None }).role;
        assert_eq!((role(0), role(70001)), (Role::Admin, Role::Open));
        assert_eq!(admins.group_id(), None);
    }
}
