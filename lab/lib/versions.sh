# shellcheck shell=bash disable=SC2034
# What the lab builds. Changing a version here means changing the go.mod or requirements file that pins it, too.
KUBERNETES=1.34.3
KIND=0.30.0
# What kubeadm 1.34.3 asks for, and what is built in its place.
ETCD_REFERENCE=registry.k8s.io/etcd:3.6.5-0 ETCD=3.6.16
COREDNS_REFERENCE=registry.k8s.io/coredns/coredns:v1.12.1 COREDNS=1.14.7
PAUSE_REFERENCE=registry.k8s.io/pause:3.10.1
# istio.io/istio has no module version newer than the 1.27.0 tag's commit; the manifests are those of 1.27.1.
ISTIO=1.27.0 ISTIO_MANIFESTS=1.27.1
ENVOY=1.36.2
KSERVE=0.20.0
SERVING=0.48.2 SERVING_RELEASE=1.21.2
NET_ISTIO_RELEASE=1.21.4 NET_ISTIO_COMMIT=4b7e514fef326a70791e751f317bb39c0de1a2be
VERSITYGW=1.8.0
# Add-ons; the policies' program takes the place of kind's network in the lab's node, which enforces none (scripts/addons.sh).
METRICS_SERVER=0.8.0 PROMETHEUS=3.16.0 KUBE_STATE_METRICS=2.18.0 LOCAL_PATH=0.0.30 NETWORK_POLICIES=0.8.0
DEBIAN_SUITE=bookworm
SET=kserve-0.20
