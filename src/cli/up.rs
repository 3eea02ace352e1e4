//! `up`, and the flags that say what is to be installed (shared with `plan`).

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::Args;

use super::{EventsOutput, Forward, Network, Profile, duration::parse_duration};

/// `quickstart up`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "A second `up` goes on where the first one stopped, and changes nothing that is as it should be.")]
pub struct Up {
    /// What to install, and where.
    #[command(flatten)]
    pub selection: Selection,
    /// Take the bundle from a `quickstart serve` in the room, by the link that it prints; the code alone finds it in the same network
    #[arg(long, value_name = "URL#CODE", conflicts_with = "bundle")]
    pub join: Option<String>,
    /// Tell the room's board how far you are, under this name; nothing is told without it
    #[arg(long = "as", value_name = "NAME", requires = "join")]
    pub known_as: Option<String>,
    /// Switch a running cluster to another profile although something of your own is made again or lost by it
    #[arg(long)]
    pub yes: bool,
    /// How to tell the story
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: EventsOutput,
}

/// What to install, and where. Everything is optional: `config` fills the gaps.
#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Selection {
    /// How KServe deploys models [env: QUICKSTART_PROFILE] [default: serverless]
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub profile: Option<Profile>,
    /// Profile serverless: what carries requests to Knative's routes; kourier was not tried on a real cluster [default: istio]
    #[arg(long, value_enum, value_name = "NETWORK")]
    pub ingress: Option<Network>,
    /// Take everything from this bundle: a file, or oci://REGISTRY/NAME:TAG [env: QUICKSTART_BUNDLE]
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// Pull images from this registry instead of their own, as PREFIX/REGISTRY/NAME or PREFIX/NAME [env: QUICKSTART_MIRROR]
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
    /// Leave the pulling of images to the node, which does it late, one component after the other, and for each cluster again
    #[arg(long)]
    pub no_prefetch: bool,
    /// Where the ingress listens on 127.0.0.1 [env: QUICKSTART_PORT] [default: 8080, or the next free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// A version set by its name, or another version of one component; can be given several times
    #[arg(long, value_name = "NAME|COMPONENT=VERSION")]
    pub set: Vec<SetVersion>,
    /// Add-ons: metrics-server, prometheus, hardening, local-storage, https; can be given several times [env: QUICKSTART_WITH]
    #[arg(long, value_name = "NAME[,NAME…]", value_delimiter = ',')]
    pub with: Vec<String>,
    /// Install on the cluster of this kubectl context instead of a new kind cluster
    #[arg(long, value_name = "CONTEXT")]
    pub on: Option<String>,
    /// Leave the demo model and its prediction out
    #[arg(long)]
    pub without_demo: bool,
    /// How the ingress gets to 127.0.0.1 [default: mapped; with --on: tunnel]
    #[arg(long, value_enum, value_name = "HOW")]
    pub forward: Option<Forward>,
    /// Do not make the ingress reachable on 127.0.0.1
    #[arg(long, conflicts_with = "forward")]
    pub no_forward: bool,
    /// Do not switch kubectl's current context
    #[arg(long)]
    pub keep_context: bool,
    /// How long all of it may take [env: QUICKSTART_TIMEOUT] [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Run downloaded programs whose checksum the catalog does not know
    #[arg(long)]
    pub accept_unpinned: bool,
    /// Another kind node image [env: QUICKSTART_NODE_IMAGE]
    #[arg(long, value_name = "REF")]
    pub node_image: Option<String>,
}

/// `COMPONENT=VERSION`, the version without a leading `v`; or the name of a set, as `set=NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetVersion {
    /// Such as `kserve`.
    pub component: String,
    /// Such as `0.20.0`.
    pub version: String,
}

/// What stands in the place of the component where a whole set is named.
const SET: &str = "set";

impl FromStr for SetVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=').map(|(component, version)| (component.trim(), bare_version(version))) {
            Some((component, version)) if !component.is_empty() && !version.is_empty() => {
                Ok(Self { component: component.to_owned(), version: version.to_owned() })
            }
            None if text.contains(|c: char| c.is_ascii_digit()) => Ok(Self { component: SET.to_owned(), version: text.trim().to_owned() }),
            _ => Err("write COMPONENT=VERSION, such as kserve=0.20.0, or a set's name, such as kserve-0.20".to_owned()),
        }
    }
}

impl SetVersion {
    /// Is it a set's name?
    pub fn is_named(&self) -> bool {
        self.component == SET
    }

    /// The same from a file, where component and version come apart.
    pub fn new(component: &str, version: &str) -> Self {
        Self { component: component.trim().to_owned(), version: bare_version(version).to_owned() }
    }
}

/// `v0.20.0` and `0.20.0` mean the same.
fn bare_version(text: &str) -> &str {
    let text = text.trim();
    match text.strip_prefix('v') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => text,
    }
}
