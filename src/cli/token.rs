use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::Global;
use super::ask::{Daemon, Source};
use super::output::{self, Screen, Style, Table};
use crate::app::accounts::{TokenList, TokenRow};
use crate::domain::access::{Grant, Scope};
use crate::domain::account::TokenName;
use crate::domain::id::TokenId;
use crate::domain::role::Role;
use crate::domain::time::Micros;
use crate::observe::now;

#[derive(Args)]
pub(crate) struct TokenArgs {
    /// What to do; `list` where nothing is named
    #[command(subcommand)]
    command: Option<TokenCommand>,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// List tokens
    List,
    /// Make a token, and print it: this once, and never again
    Create(CreateArgs),
    /// Revoke a token
    Revoke {
        /// The token's number
        id: u64,
    },
}

#[derive(Args)]
struct CreateArgs {
    /// What it is called, in the list and in the audit log
    name: TokenName,
    #[command(flatten)]
    grant: GrantArgs,
    /// For how many days; 90 where nothing is said
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
}

/// A role or a scope.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct GrantArgs {
    /// Let it do what this role may: viewer, operator or admin
    #[arg(long, value_parser = role)]
    role: Option<Grant>,
    /// Let it do one thing only: publish (sends events in) or worker (takes jobs and reports on them, and registers, uploads and evaluates versions of models)
    #[arg(long, value_parser = scope)]
    scope: Option<Grant>,
}

#[derive(Serialize)]
struct Wanted<'a> {
    name: &'a TokenName,
    grant: Grant,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_days: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct Created {
    #[serde(flatten)]
    token: TokenRow,
    text: String,
}

pub(crate) fn run(args: TokenArgs, global: &Global) -> anyhow::Result<ExitCode> {
    match args.command {
        None | Some(TokenCommand::List) => list(global),
        Some(TokenCommand::Create(args)) => create(&args, global),
        Some(TokenCommand::Revoke { id }) => {
            let token: TokenRow = Daemon::for_a_change(global)?.delete(&format!("/api/tokens/{}", TokenId(id)))?;
            if global.json {
                output::json(&token)?;
            } else {
                output::print(format!("token {} ({}) is revoked\n", token.id, token.name).as_bytes())?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn create(args: &CreateArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let grant = args.grant.role.or(args.grant.scope).unwrap_or(Grant::NONE);
    let wanted = Wanted { name: &args.name, grant, expires_in_days: args.days };
    let created: Created = Daemon::for_a_change(global)?.post("/api/tokens", &wanted)?;
    if global.json {
        output::json(&created)?;
        return Ok(ExitCode::SUCCESS);
    }
    // The text alone on standard output, so that a script can take it.
    output::print(format!("{}\n", created.text).as_bytes())?;
    let TokenRow { id, name, grant, expires_at, .. } = &created.token;
    let until = expires_at.rfc3339();
    super::complain(&format!("token {id} ({name}), {grant} until {until}; its text is shown only this once"));
    Ok(ExitCode::SUCCESS)
}

fn list(global: &Global) -> anyhow::Result<ExitCode> {
    let list: TokenList = match Source::of(global)? {
        Source::Daemon(daemon) => daemon.get("/api/tokens", &())?,
        Source::File(store) => {
            let list = TokenList::read(&store, now())?;
            store.close();
            list
        }
    };
    if global.json {
        output::json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table =
        Table::new(&["ID", "NAME", "BEGINS", "GRANT", "MADE BY", "EXPIRES (UTC)", "LAST USED (UTC)", "FROM"])
            .wrapping(1);
    for token in &list.tokens {
        table.row([
            (token.id.to_string().as_str(), Style::Strong),
            (token.name.as_str(), Style::Plain),
            (token.prefix.as_str(), Style::Faint),
            (token.grant.as_str(), Style::Plain),
            (token.created_by.as_str(), Style::Plain),
            (token.expires_at.rfc3339().as_str(), if token.expired { Style::Bad } else { Style::Plain }),
            (token.last_used.map(Micros::rfc3339).as_deref().unwrap_or("never"), Style::Plain),
            (token.last_address.as_str(), Style::Plain),
        ]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn role(text: &str) -> Result<Grant, String> {
    let role = Role::GIVEN.into_iter().find(|role| role.as_str() == text);
    role.map(Grant::Role).ok_or_else(|| "use viewer, operator or admin".to_owned())
}

fn scope(text: &str) -> Result<Grant, String> {
    let scope = Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
    scope.map(Grant::Scope).ok_or_else(|| "use publish or worker".to_owned())
}
