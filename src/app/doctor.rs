//! `doctor`.
use crate::app::App;
use crate::cli::Doctor;
use crate::error::{Exit, Failure};
pub(super) async fn run(_app: &App, _arguments: &Doctor) -> Result<Exit, Failure> {
    Ok(Exit::Ok)
}
