//! `bundle`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Network, Profile, Selection, SetVersion, TableOutput};

/// `quickstart bundle …`.
#[derive(Clone, Debug, Subcommand)]
pub enum BundleCommand {
    /// Write a bundle
    Create(Box<BundleCreate>),
    /// Say what a bundle holds
    Inspect(BundleInspect),
    /// Check every file of a bundle against its checksum
    Verify(BundleVerify),
    /// Say how two bundles differ
    Diff(BundleDiff),
    /// Put a bundle into a container registry
    Push(BundlePush),
    /// Get a bundle out of a container registry
    Pull(BundlePull),
}

/// `quickstart bundle create`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Without --from everything that `quickstart plan` lists goes in, and no engine is needed: manifests and kind are \
                        downloaded, images are read from their registries with the logins of `docker login`. What has come is kept: \
                        the same command again goes on where it stopped.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct BundleCreate {
    /// What goes in: a JSON specification instead of the plan
    #[arg(long, value_name = "SPEC", conflicts_with_all = ["platform", "profile", "ingress", "set", "with", "without_demo", "with_runtimes", "model"])]
    pub from: Option<PathBuf>,
    /// With --from: read its images from registries, not from the engine
    #[arg(long, requires = "from")]
    pub pull: bool,
    /// Ask this registry instead of all others: https://HOST[:PORT][/PREFIX]
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
    /// For which machines; each gets a bundle of its own [default: this one's, linux/amd64 or linux/arm64]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',', value_parser = architecture)]
    pub platform: Vec<String>,
    /// How KServe deploys models [env: QUICKSTART_PROFILE] [default: serverless]
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub profile: Option<Profile>,
    /// Profile serverless: what carries requests to Knative's routes [default: istio]
    #[arg(long, value_enum, value_name = "NETWORK")]
    pub ingress: Option<Network>,
    /// A version set by its name, or another version of one component; can be given several times
    #[arg(long, value_name = "NAME|COMPONENT=VERSION")]
    pub set: Vec<SetVersion>,
    /// Also these add-ons [env: QUICKSTART_WITH]
    #[arg(long, value_name = "NAME[,NAME…]", value_delimiter = ',')]
    pub with: Vec<String>,
    /// Leave the demo model and its images out
    #[arg(long)]
    pub without_demo: bool,
    /// Take the images of all serving runtimes, not only that of the demo: tens of gigabytes
    #[arg(long)]
    pub with_runtimes: bool,
    /// A demo model of your own instead of the published one: a scikit-learn model.joblib
    #[arg(long, value_name = "FILE", conflicts_with = "without_demo")]
    pub model: Option<PathBuf>,
    /// Take downloads whose checksum the catalog does not know
    #[arg(long)]
    pub accept_unpinned: bool,
    /// The bundle to write; for several platforms `-ARCHITECTURE` is put before its ending
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
}

impl BundleCreate {
    /// What of the settings was typed.
    pub(super) fn selection(&self) -> Selection {
        Selection {
            profile: self.profile,
            ingress: self.ingress,
            set: self.set.clone(),
            with: self.with.clone(),
            without_demo: self.without_demo,
            accept_unpinned: self.accept_unpinned,
            ..Selection::default()
        }
    }
}

/// `linux/amd64` → `amd64`
fn architecture(text: &str) -> Result<String, String> {
    let architecture = text.trim().strip_prefix("linux/").unwrap_or_default();
    if ["amd64", "arm64"].contains(&architecture) {
        Ok(architecture.to_owned())
    } else {
        Err("write linux/amd64 or linux/arm64".to_owned())
    }
}

/// `quickstart bundle inspect`.
#[derive(Args, Clone, Debug)]
pub struct BundleInspect {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableOutput,
}

/// `quickstart bundle verify`.
#[derive(Args, Clone, Debug)]
pub struct BundleVerify {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// `quickstart bundle diff`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Exit code 0: they hold the same. 8: they do not, or one of them cannot be read.")]
pub struct BundleDiff {
    /// A bundle
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Another one
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableOutput,
}

/// `quickstart bundle push`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "What the registry has already, layers of images above all, is not sent again: the same command again goes on where it stopped."
)]
pub struct BundlePush {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to: oci://REGISTRY/NAME:TAG
    #[arg(value_name = "URL")]
    pub to: String,
}

/// `quickstart bundle pull`.
#[derive(Args, Clone, Debug)]
pub struct BundlePull {
    /// Where from: oci://REGISTRY/NAME:TAG, or NAME@sha256:DIGEST
    #[arg(value_name = "URL")]
    pub from: String,
    /// The file to write
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
}
