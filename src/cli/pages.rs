//! The manual page, made from the same tree as the help.

use std::io;

use clap::{Command, CommandFactory};

use super::{Cli, help};

/// The manual page: all verbs with their flags on one page.
///
/// # Errors
/// None in practice: it writes to memory.
pub fn man() -> io::Result<Vec<u8>> {
    let mut command = Cli::command().after_help("").after_long_help("");
    command.build();
    let mut page = Vec::new();
    let top = clap_mangen::Man::new(command.clone());
    top.render_title(&mut page)?;
    top.render_name_section(&mut page)?;
    top.render_synopsis_section(&mut page)?;
    top.render_description_section(&mut page)?;
    top.render_options_section(&mut page)?;
    page.extend_from_slice(b".SH COMMANDS\n");
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        section(verb, &format!("quickstart {}", verb.get_name()), &mut page)?;
    }
    page.extend_from_slice(b".SH \"EXIT STATUS\"\n.nf\n");
    page.extend_from_slice(help::exit_codes().as_bytes());
    page.extend_from_slice(b".fi\n.SH ENVIRONMENT\n");
    for (name, meaning) in help::VARIABLES {
        page.extend_from_slice(format!(".TP\n.B {name}\n{}\n", escape(meaning)).as_bytes());
    }
    page.extend_from_slice(b".SH FILES\n.TP\n.I quickstart.yaml\nconfiguration, taken from the current folder\n");
    Ok(page)
}

/// One verb, and the verbs below it.
fn section(command: &Command, path: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let below: Vec<&Command> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).collect();
    if !below.is_empty() {
        return below.into_iter().try_for_each(|verb| section(verb, &format!("{path} {}", verb.get_name()), page));
    }
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.extend_from_slice(format!(".SS {path}\n{}\n", escape(&about)).as_bytes());
    let own = command.clone().mut_args(|arg| if arg.is_global_set() || arg.get_id() == "help" { arg.hide(true) } else { arg });
    if own.get_arguments().all(clap::Arg::is_hide_set) {
        return Ok(());
    }
    let mut options = Vec::new();
    clap_mangen::Man::new(own).render_options_section(&mut options)?;
    // The heading of a page of its own has no place inside ours.
    let text = String::from_utf8_lossy(&options).replace(".SH OPTIONS\n", "");
    page.extend_from_slice(text.as_bytes());
    Ok(())
}

/// roff takes a dash for a hyphen and a leading dot for a request.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
