use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Global;
use super::ask::{Daemon, Source};
use super::output::{self, Screen, Style, Table, visible};
use super::password;
use crate::app::accounts::{UserList, UserRow};
use crate::domain::account::UserName;
use crate::domain::role::Role;
use crate::domain::time::Micros;

#[derive(Args)]
pub(crate) struct UserArgs {
    /// What to do; `list` where nothing is named
    #[command(subcommand)]
    command: Option<UserCommand>,
}

#[derive(Subcommand)]
enum UserCommand {
    /// List users
    List,
    /// Add a user, whose password is asked for
    Add {
        /// The name: up to 32 of a-z 0-9 . _ -, the first a letter
        name: UserName,
        /// What they may do: viewer, operator or admin
        #[arg(long, value_parser = role)]
        role: Role,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Set a user's password, which ends their sessions
    Password {
        /// The user
        name: UserName,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Give a user another role, which ends their sessions
    Role {
        /// The user
        name: UserName,
        /// What they may do: viewer, operator or admin
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Let a user sign in no more, and end their sessions
    Disable {
        /// The user
        name: UserName,
    },
    /// Let a user sign in again
    Enable {
        /// The user
        name: UserName,
    },
    /// Delete a user
    Delete {
        /// The user
        name: UserName,
    },
}

#[derive(Args)]
struct PasswordArgs {
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Serialize)]
struct NewUser<'a> {
    name: &'a UserName,
    role: Role,
    password: &'a str,
}

pub(crate) fn run(args: UserArgs, global: &Global) -> anyhow::Result<ExitCode> {
    match args.command {
        None | Some(UserCommand::List) => list(global),
        Some(UserCommand::Add { name, role, password }) => {
            let daemon = Daemon::for_a_change(global)?;
            let password = asked(&daemon, &name, &password)?;
            let new = NewUser { name: &name, role, password: password.expose() };
            told(daemon.post("/api/users", &new)?, "was added", global)
        }
        Some(UserCommand::Password { name, password }) => {
            let daemon = Daemon::for_a_change(global)?;
            let password = asked(&daemon, &name, &password)?;
            let body = serde_json::json!({ "password": password.expose() });
            told(daemon.put(&format!("/api/users/{name}/password"), &body)?, "has a new password", global)
        }
        Some(UserCommand::Role { name, role }) => {
            change(&name, "role", &serde_json::json!({ "role": role }), "has its role", global)
        }
        Some(UserCommand::Disable { name }) => {
            change(&name, "disabled", &serde_json::json!({ "disabled": true }), "can sign in no more", global)
        }
        Some(UserCommand::Enable { name }) => {
            change(&name, "disabled", &serde_json::json!({ "disabled": false }), "can sign in", global)
        }
        Some(UserCommand::Delete { name }) => {
            told(Daemon::for_a_change(global)?.delete(&format!("/api/users/{name}"))?, "was deleted", global)
        }
    }
}

/// Asks for a password, once it is sure that the daemon would take it from this user.
fn asked(daemon: &Daemon, name: &UserName, args: &PasswordArgs) -> anyhow::Result<crate::domain::account::Password> {
    daemon.get::<UserList>("/api/users", &())?;
    password::new(name, args.password_stdin)
}

fn change(name: &UserName, what: &str, body: &impl Serialize, done: &str, global: &Global) -> anyhow::Result<ExitCode> {
    told(Daemon::for_a_change(global)?.put(&format!("/api/users/{name}/{what}"), body)?, done, global)
}

fn told(user: UserRow, done: &str, global: &Global) -> anyhow::Result<ExitCode> {
    if global.json {
        output::json(&user)?;
    } else {
        let state = if user.disabled { ", disabled" } else { "" };
        output::print(format!("user {} {done} ({}{state})\n", user.name, user.role.as_str()).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(global: &Global) -> anyhow::Result<ExitCode> {
    let list: UserList = match Source::of(global)? {
        Source::Daemon(daemon) => daemon.get("/api/users", &())?,
        Source::File(store) => {
            let list = UserList::read(&store)?;
            store.close();
            list
        }
    };
    if global.json {
        output::json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["NAME", "ROLE", "STATE", "ADDED (UTC)", "PASSWORD SET (UTC)", "LAST SIGN-IN (UTC)"]);
    for user in &list.users {
        let (state, style) = if user.disabled { ("disabled", Style::Warning) } else { ("enabled", Style::Good) };
        table.row([
            (user.name.as_str(), Style::Strong),
            (user.role.as_str(), Style::Plain),
            (state, style),
            (user.created_at.rfc3339().as_str(), Style::Plain),
            (user.password_changed_at.rfc3339().as_str(), Style::Plain),
            (user.last_sign_in.map(Micros::rfc3339).as_deref().unwrap_or("never"), Style::Plain),
        ]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    if list.users.is_empty() {
        super::complain(&visible("there is no user yet: quantum-clm user add NAME --role admin adds the first"));
    }
    Ok(ExitCode::SUCCESS)
}

fn role(text: &str) -> Result<Role, String> {
    let role = Role::GIVEN.into_iter().find(|role| role.as_str() == text);
    role.ok_or_else(|| "use viewer, operator or admin".to_owned())
}
