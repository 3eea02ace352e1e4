use super::*;
use crate::{cli, error::Failure};

struct Case {
    folder: tempfile::TempDir,
    vars: Vec<(String, String)>,
}

impl Case {
    fn new(vars: &[(&str, &str)]) -> Self {
        let mut vars: Vec<(String, String)> = vars.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        vars.push(("HOME".to_owned(), "/home/u".to_owned()));
        Self { folder: tempfile::tempdir().unwrap(), vars }
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        self
    }

    fn resolve(&self, line: &str) -> Result<Settings, ConfigError> {
        let cli = cli::parse(line.split_whitespace()).unwrap();
        Settings::resolve(&cli, Environment::from_vars(self.vars.clone(), self.folder.path()))
    }

    fn refused(&self, line: &str) -> Failure {
        let failure = Failure::from(self.resolve(line).unwrap_err());
        assert_eq!(failure.exit.code(), 2);
        failure
    }
}

fn from(settings: &Settings, key: &str) -> String {
    settings.source(key).unwrap().to_string()
}

#[test]
fn with_nothing_said_the_defaults_hold() {
    let settings = Case::new(&[]).resolve("quickstart up").unwrap();
    assert_eq!(
        (settings.name.as_str(), settings.profile, settings.port, settings.port_explicit),
        ("quickstart", Profile::Serverless, 8080, false)
    );
    assert_eq!(settings.timeout, Duration::from_mins(15));
    assert!(settings.demo && settings.forward == Ingress::Mapped && !settings.keep_context && !settings.accept_unpinned);
    assert!(settings.bundle.is_none() && settings.set.is_none() && settings.versions.is_empty());
    assert!(settings.origins.iter().all(|origin| origin.source == Source::Default));
    let keys: Vec<&str> = settings.origins.iter().map(|origin| origin.key.as_str()).collect();
    assert_eq!(keys, ["name", "profile", "port", "prefetch", "demo", "forward", "keepContext", "keepImages", "timeout", "acceptUnpinned"]);
    assert_eq!(settings.paths.state, Path::new("/home/u/.local/state/quickstart"));
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let file = "name: filed\nport: 1111\nprofile: raw\ntimeout: 1m\n";
    let case = Case::new(&[("QUICKSTART_PORT", "2222"), ("QUICKSTART_PROFILE", "serverless")]).file("quickstart.yaml", file);
    let settings = case.resolve("quickstart up --port 3333").unwrap();
    assert_eq!((settings.port, from(&settings, "port")), (3333, "flag".to_owned()));
    assert_eq!((settings.profile, from(&settings, "profile")), (Profile::Serverless, "environment QUICKSTART_PROFILE".to_owned()));
    assert_eq!((settings.name.as_str(), from(&settings, "name")), ("filed", "file quickstart.yaml".to_owned()));
    assert_eq!((settings.timeout.as_secs(), settings.demo, from(&settings, "demo")), (60, true, "default".to_owned()));
    assert!(settings.port_explicit);
    let origin = &settings.origins[0];
    assert_eq!(
        serde_json::to_value(origin).unwrap(),
        serde_json::json!({"key": "name", "value": "filed", "source": "file quickstart.yaml"})
    );
}

/// `status` and `down` have no `--profile`, but they are about the cluster that the file names.
#[test]
fn verbs_without_a_selection_read_name_from_the_file_too() {
    let case = Case::new(&[]).file("quickstart.yaml", "name: filed\n");
    assert_eq!(case.resolve("quickstart status").unwrap().name.as_str(), "filed");
    assert_eq!(case.resolve("quickstart down --name typed").unwrap().name.as_str(), "typed");
}

#[test]
fn a_port_from_any_source_is_an_explicit_one() {
    assert!(Case::new(&[("QUICKSTART_PORT", "8080")]).resolve("quickstart up").unwrap().port_explicit);
    assert!(Case::new(&[]).file("quickstart.yaml", "port: 8080").resolve("quickstart up").unwrap().port_explicit);
}

#[test]
fn versions_are_joined_and_the_flag_wins() {
    let case = Case::new(&[]).file("quickstart.yaml", "versions: {kserve: 0.19.0, istio: 1.26.0}");
    let settings = case.resolve("quickstart plan --set kserve=v0.20.0 --set kserve=0.20.1").unwrap();
    assert_eq!(settings.versions["kserve"], "0.20.1");
    assert_eq!(settings.versions["istio"], "1.26.0");
    assert_eq!(from(&settings, "versions.kserve"), "flag");
    assert_eq!(from(&settings, "versions.istio"), "file quickstart.yaml");
}

#[test]
fn flags_turn_things_off() {
    let case = Case::new(&[]).file("quickstart.yaml", "demo: true");
    let settings = case.resolve("quickstart up --without-demo --no-forward --keep-context --accept-unpinned --on other").unwrap();
    assert!(!settings.demo && settings.forward == Ingress::None && settings.keep_context && settings.accept_unpinned);
    assert_eq!(settings.on.as_deref(), Some("other"));
}

#[test]
fn a_bundle_starts_where_it_was_written() {
    let case = Case::new(&[]).file("sub/q.yaml", "bundle: w.tar").file("home.yaml", "bundle: ~/w.tar").file("abs.yaml", "bundle: /w.tar");
    let bundle = |line: &str| case.resolve(line).unwrap().bundle.unwrap();
    let folder = case.folder.path();
    assert_eq!(bundle("quickstart up --config sub/q.yaml"), folder.join("sub/w.tar"));
    assert_eq!(bundle("quickstart up --config sub/q.yaml --bundle x.tar"), folder.join("x.tar"));
    assert_eq!(bundle("quickstart up --config home.yaml"), Path::new("/home/u/w.tar"));
    assert_eq!(bundle("quickstart up --config abs.yaml"), Path::new("/w.tar"));
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let failure = Case::new(&[]).refused("quickstart up --config gone.yaml");
    assert_eq!(failure.id, "CONFIG_INVALID");
    assert!(failure.cause.unwrap().contains("gone.yaml"));
}

#[test]
fn a_wrong_variable_is_named() {
    for (variable, value, part) in [
        ("QUICKSTART_PORT", "http", "`http` is not a port"),
        ("QUICKSTART_PORT", "0", "is not a port"),
        ("QUICKSTART_PROFILE", "rwa", "did you mean `raw`?"),
        ("QUICKSTART_TIMEOUT", "15", "has no unit"),
        ("QUICKSTART_NAME", "Big", "only a-z"),
    ] {
        let failure = Case::new(&[(variable, value)]).refused("quickstart up");
        assert!(failure.what.starts_with(&format!("{variable} is wrong: ")) && failure.what.contains(part), "{}", failure.what);
        assert_eq!(failure.id, "USAGE");
    }
}

#[test]
fn a_wrong_name_on_the_command_line_is_a_usage_error() {
    let failure = Case::new(&[]).refused("quickstart up --name ..");
    assert_eq!(failure.id, "USAGE");
    assert!(failure.what.starts_with("`..` cannot be a cluster name"));
}
