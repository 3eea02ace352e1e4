//! `config`.

use serde_json::json;

use crate::app::App;
use crate::cli::{ConfigCommand, TableOutput};
use crate::config::SCHEMA;
use crate::error::{Exit, Failure};
use crate::report::{document, settings_table};

pub(super) fn run(app: &App, command: &ConfigCommand) -> Result<Exit, Failure> {
    let settings = &app.settings;
    match command {
        ConfigCommand::Schema => app.data(SCHEMA.trim_end())?,
        ConfigCommand::Show(show) if show.output == TableOutput::Json => {
            app.data(&document(&json!({"version": 1, "settings": settings.origins, "patches": settings.patches}))?)?;
        }
        ConfigCommand::Show(_) => app.data(settings_table(&settings.origins, app.printer.data_palette()).trim_end())?,
    }
    Ok(Exit::Ok)
}
