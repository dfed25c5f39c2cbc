use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::{Cli, Global, output};

#[derive(Args)]
pub(crate) struct ManArgs {
    /// Write a file a command into this directory, instead of all to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: ManArgs, _global: &Global) -> anyhow::Result<ExitCode> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    collect(&root, &mut pages)?;
    let Some(directory) = args.out else {
        let all: Vec<u8> = pages.into_iter().flat_map(|(_, page)| page).collect();
        output::print(&all)?;
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for (name, page) in pages {
        let path = directory.join(name);
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The pages of `command` and everything under it, by file name.
fn collect(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let man = Man::new(command.clone()).source(format!("quantum-clm {}", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render(&mut page)?;
    pages.push((man.get_filename(), page));
    command.get_subcommands().filter(|command| !command.is_hide_set()).try_for_each(|command| collect(command, pages))
}
