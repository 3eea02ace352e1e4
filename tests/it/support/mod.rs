//! Fakes at the wire, for tests of the real program: a Kubernetes API server, a container engine, `kind`, an ingress gateway.
//!
//! A fake speaks the real protocol and keeps real state; what a controller would do "some time later" it does after a number
//! of reads, so a test never waits for a clock. Most tests want [`sandbox::Sandbox`], which wires all of them together.
#![expect(unreachable_pub, reason = "an interface inside a test binary that exports nothing")]
#![expect(dead_code, reason = "an interface for many test files; not all of it is used at every time")]
#![expect(clippy::unwrap_used, reason = "a broken fake should stop the test at once")]

pub mod api_server;
mod apply;
pub mod beside;
mod bundle_spec;
mod components;
mod cut;
mod discovery;
pub mod docker_archive;
pub mod docker_engine;
mod docker_exec;
mod docker_images;
mod docker_once;
mod docker_views;
mod endpoints;
pub mod faults;
mod filters;
pub mod gateway;
pub mod gateway_tls;
pub mod grpc;
mod http;
pub mod kind_program;
mod logs;
mod manifest_parts;
pub mod manifests;
pub mod manifests_kourier;
pub mod manifests_older;
mod portforward;
mod ports;
pub mod pty;
pub mod registry;
mod resources;
mod routes;
pub mod sandbox;
mod selectors;
mod spdy;
mod status;
pub mod store;
pub mod tls_engine;
pub mod tls_proxy;
mod validation;
mod webhooks;
mod wire;
pub mod workloads;
pub mod yaml;

/// An archive of one image, as `docker save` writes it.
pub fn archive_of(name: &str) -> Vec<u8> {
    docker_archive::save(&[(docker_archive::Image::new(name, "amd64"), vec![name.to_owned()])])
}

mod selftest_api;
mod selftest_machine;
