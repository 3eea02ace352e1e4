use std::path::Path;

use proptest::prelude::*;

use super::*;

fn safe(text: &str) -> String {
    redact(text, Some(Path::new("/home/ada")))
}

fn torn(text: &str) -> String {
    let mut out = Vec::new();
    Redactor::new(None, true).copy(&mut text.as_bytes(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn each_kind_of_secret_and_what_stays_of_its_line() {
    let pairs = [
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==\n", "Authorization: [redacted]\n"),
        ("curl -H 'Authorization: Bearer abc.DEF-123' http://x\n", "curl -H 'Authorization: [redacted]' http://x\n"),
        ("\"Authorization\": [\"Bearer abcDEF123\"],", "\"Authorization\": [\"[redacted]\"],"),
        ("sent Bearer a1b2c3d4e5 to it", "sent Bearer [redacted] to it"),
        ("got eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrOHMifQ.c2ln, ok", "got [redacted], ok"),
        ("    client-key-data: LS0tLS1CRUdJTiBSU0E=\r\n", "    client-key-data: [redacted]\r\n"),
        ("x LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVk= y", "x [redacted] y"),
        ("    token: a b c\n", "    token: [redacted]\n"),
        ("proxy http://user:p@ss:w@proxy:3128/x", "proxy http://user:[redacted]@proxy:3128/x"),
        ("DB_PASSWORD=correct horse\n", "DB_PASSWORD=[redacted]\n"),
        ("level=info password=hunter2 user=ada", "level=info password=[redacted] user=ada"),
        ("/login?access_token=abc&next=1", "/login?access_token=[redacted]&next=1"),
        ("{\"auths\":{\"x\":{\"auth\":\"dXNlcjpwYXNz\"}}}", "{\"auths\":{\"x\":{\"auth\":\"[redacted]\"}}}"),
        ("kubeadm join 172.18.0.2:6443 --token abcdef.0123456789abcdef --x", "kubeadm join 172.18.0.2:6443 --token [redacted] --x"),
        ("{\"name\":\"AWS_SECRET_ACCESS_KEY\",\"value\":\"abc\"}", "{\"name\":\"AWS_SECRET_ACCESS_KEY\",\"value\":\"[redacted]\"}"),
        ("- name: HF_TOKEN\n  value: abc def\n- name: A\n  value: b\n", "- name: HF_TOKEN\n  value: [redacted]\n- name: A\n  value: b\n"),
        ("password: |\n  one\n  two\nuser: ada\n", "password: |\n  [redacted]\nuser: ada\n"),
        ("{\\\"password\\\":\\\"a\\\\\\\"b\\\",\\\"x\\\":1}", "{\\\"password\\\":\\\"[redacted]\\\",\\\"x\\\":1}"),
        ("2026-01-01T00:00:00Z stdout F password: a b\n", "2026-01-01T00:00:00Z stdout F password: [redacted]\n"),
        ("open /home/ada/.kube/config, /home/adam, /mnt/home/ada", "open ~/.kube/config, /home/adam, /mnt/home/ada"),
    ];
    for (text, expected) in pairs {
        assert_eq!(safe(text), expected);
        assert_eq!(safe(expected), expected, "a second time changes nothing");
    }
}

#[test]
fn a_private_key_goes_as_a_whole_and_a_certificate_stays() {
    let key = |begin: &str| format!("a\n{begin}-----BEGIN RSA PRIVATE KEY-----\n{begin}MIIabc\n{begin}-----END RSA PRIVATE KEY-----\nb\n");
    assert_eq!(safe(&key("")), "a\n[redacted]\nb\n");
    assert_eq!(safe(&key("2026-01-01T00:00:00Z stderr F ")), "a\n2026-01-01T00:00:00Z stderr F [redacted]\nb\n");
    let escaped = r#"{"tls.key":"-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----\n","b":1}"#;
    assert_eq!(safe(escaped), r#"{"tls.key":"[redacted]\n","b":1}"#);
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIabc\n-----END CERTIFICATE-----\n";
    assert_eq!(safe(certificate), certificate);
    let endless = format!("-----BEGIN PRIVATE KEY-----\n{}", "line\n".repeat(1000));
    assert!(safe(&endless).lines().count() > 500, "a key without an end does not swallow a log");
}

/// The end of a log may begin inside a key: nothing said that these lines are one.
#[test]
fn a_text_that_begins_inside_a_key() {
    let end = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\nMIIEvQIBAD9w0BAQEFAASCB=\n-----END PRIVATE KEY-----\nready\n";
    assert_eq!(torn(end), "[redacted]\n[redacted]\n[redacted]\nready\n");
    assert_eq!(torn("I0101 started\nready\n"), "I0101 started\nready\n");
}

#[test]
fn a_secrets_data_goes_whether_its_kind_is_said_before_or_after() {
    let after = "apiVersion: v1\ndata:\n  a: Zm9v\n  b: |\n    x\nimmutable: true\nkind: Secret\nmetadata:\n  name: n\n";
    let expected =
        "apiVersion: v1\ndata:\n  a: [redacted]\n  b: [redacted]\n    [redacted]\nimmutable: true\nkind: Secret\nmetadata:\n  name: n\n";
    assert_eq!(safe(after), expected);
    assert_eq!(safe(&after.replace("Secret", "ConfigMap")), after.replace("Secret", "ConfigMap"));
    let before = "items:\n- kind: Secret\n  data:\n    a: Zm9v\n- kind: ConfigMap\n  data:\n    a: Zm9v\n";
    assert_eq!(safe(before), before.replacen("Zm9v", "[redacted]", 1));
    let json = "{\n  \"data\": {\n    \"a\": \"Zm9v\"\n  },\n  \"kind\": \"Secret\"\n}\n";
    assert_eq!(safe(json), json.replace("Zm9v", "[redacted]"));
    let line = r#"{"apiVersion":"v1","data":{"a":"Zm9v"},"kind":"Secret","metadata":{"name":"n"}}"#;
    assert_eq!(safe(line), line.replace("Zm9v", "[redacted]"));
    let quoted = format!("last: \"{}\"", line.replace('"', "\\\""));
    assert_eq!(safe(&quoted), quoted.replace("Zm9v", "[redacted]"));
    assert_eq!(safe("stringData:\n  a: b c\nkind: Secret\n"), "stringData:\n  a: [redacted]\nkind: Secret\n");
}

/// What a reader of the archive needs most must not be taken for a secret.
#[test]
fn what_kubernetes_says_about_secrets_stays() {
    let text = "MountVolume.SetUp failed for volume \"cert\" : secret \"kserve-webhook-server-cert\" not found\n\
                secretName: kserve-webhook-server-cert\nsecret:\n  defaultMode: 420\nautomountServiceAccountToken: false\n\
                WWW-Authenticate: Bearer realm=\"https://auth.docker.io/token\"\nbasic auth failed, bearer authentication needed\n\
                \"imagePullSecrets\": [],\n--authorization-mode=Node,RBAC\ncaBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t\n\
                data:\n  config-domain: x\nplain\nimage@sha256:0123456789abcdef\nhttp://localhost:8080/a@b\ntoken: null\n";
    assert_eq!(safe(text), text);
}

#[test]
fn a_line_without_end_is_cut_and_a_flood_of_data_is_no_trouble() {
    let long = "x".repeat(3 << 20);
    let out = safe(&long);
    assert!(out.len() < 2 << 20 && out.contains("bytes of this line are left out"), "{}", out.len());
    let flood = "data:\n".repeat(100_000);
    assert_eq!(safe(&flood), flood);
}

/// A line of a document with `@` where its secret goes.
fn templates() -> impl Strategy<Value = (&'static str, bool)> {
    prop::sample::select(vec![
        ("Authorization: Bearer @\n", true),
        ("I0101 request header authorization: Basic @\n", true),
        ("error: bearer @ refused\n", true),
        ("users:\n- name: a\n  user:\n    client-key-data: @\n    client-certificate-data: @\n    token: @\n", true),
        ("{\"env\":[{\"name\":\"A_PASSWORD\",\"value\":\"@\"}]}\n", true),
        ("    \"env\": [\n      {\n        \"name\": \"S3_ACCESS_KEY\",\n        \"value\": \"@\"\n      }\n    ]\n", true),
        ("-----BEGIN EC PRIVATE KEY-----\n@\n@\n-----END EC PRIVATE KEY-----\n", true),
        ("key \"-----BEGIN PRIVATE KEY-----\\n@\\n-----END PRIVATE KEY-----\\n\" end\n", true),
        ("pull https://ada:@@registry.example/v2/ failed\n", true),
        ("apiVersion: v1\ndata:\n  any: @\n  other: @\nkind: Secret\n---\n", true),
        ("apiVersion: v1\nkind: Secret\nstringData:\n  any: |\n    @\n---\n", true),
        ("{\n  \"data\": {\n    \"x\": \"@\"\n  },\n  \"kind\": \"Secret\"\n}\n", true),
        ("{\"kind\":\"Secret\",\"data\":{\"x\":\"@\",\"y\":\"@\"}}\n", true),
        ("a: \"{\\\"data\\\":{\\\"x\\\":\\\"@\\\"},\\\"kind\\\":\\\"Secret\\\"}\"\n", true),
        ("{\"auths\": {\"r\": {\"auth\": \"@\", \"identitytoken\": \"@\"}}}\n", true),
        ("export MY_TOKEN=@\n", true),
        ("started with --password @ and --token=@\n", true),
        ("eyJhbGciOiJSUzI1NiJ9.@.@\n", true),
        ("ready in 12s\n", false),
        ("kind: Deployment\nmetadata:\n  name: kserve\n---\n", false),
        ("apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\n---\n", false),
        ("  \"reason\": \"FailedMount\",\n", false),
        ("\n", false),
        ("-----BEGIN CERTIFICATE-----\nMIIabc\n-----END CERTIFICATE-----\n", false),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_secret_of_a_document_survives(parts in prop::collection::vec(templates(), 1..12), seed in "[A-Z]{3}[a-z0-9]{20,40}") {
        let (mut text, mut secrets) = (String::new(), Vec::new());
        for (template, _) in &parts {
            // `@@`: the second one belongs to the address.
            for piece in template.replace("@@", "@\u{0}").split_inclusive('@') {
                if let Some(before) = piece.strip_suffix('@') {
                    let secret = format!("{seed}{}", secrets.len());
                    text.push_str(before);
                    text.push_str(&secret);
                    secrets.push(secret);
                } else {
                    text.push_str(piece);
                }
            }
        }
        let text = text.replace('\u{0}', "@");
        let out = safe(&text);
        prop_assert!(!out.contains(&seed), "{text}\n→\n{out}");
        prop_assert_eq!(safe(&out), out, "a second time changes nothing");
    }

    #[test]
    fn text_without_secrets_stays_as_it_is(parts in prop::collection::vec(templates().prop_filter("", |part| !part.1), 0..30), end in "[ a-z0-9.]{0,20}") {
        let text = parts.iter().map(|part| part.0).collect::<String>() + &end;
        prop_assert_eq!(safe(&text), text);
    }

    /// Whatever bytes come: no panic, and what has no letter that any rule looks at comes out as it is.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut out = Vec::new();
        Redactor::new(Some(Path::new("/home/ada")), false).copy(&mut &bytes[..], &mut out).unwrap();
        let harmless: Vec<u8> = bytes.into_iter().filter(|byte| !b":=-".contains(byte) && !byte.is_ascii_alphabetic()).collect();
        let mut out = Vec::new();
        Redactor::new(Some(Path::new("/home/ada")), false).copy(&mut &harmless[..], &mut out).unwrap();
        prop_assert_eq!(out, harmless);
    }
}
