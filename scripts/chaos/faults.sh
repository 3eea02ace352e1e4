# shellcheck shell=bash disable=SC2034
# Every fault with what must come of it. Neighbours share a cluster where they can.

CI_FAULTS=(kill-cluster-node engine-nowhere bundle-flipped-files node-killed scaled-kserve)

# `up` stopped; a run that is over before the signal arrives has won.
fault int-engine-check fresh 75 "130:INTERRUPTED" "SIGINT while the engine is checked" interrupted_at started engine-check
fault int-cluster fresh 75 "130:INTERRUPTED" "SIGINT as kind starts" interrupted_at started cluster
fault int-cluster-node fresh 75 "130:INTERRUPTED" "SIGINT as the node's container runs" interrupted_at node_runs
fault int-cluster-late fresh 75 "130:INTERRUPTED" "SIGINT as the control plane comes up" interrupted_at control_plane_made
fault int-crds fresh 80 "130:INTERRUPTED" "SIGINT among the CRDs" interrupted_after crds 60
fault int-cert-manager fresh 85 "130:INTERRUPTED" "SIGINT among cert-manager's objects" interrupted_after cert-manager 20
fault int-istio fresh 85 "130:INTERRUPTED" "SIGINT among Istio's objects" interrupted_after istio 20
fault int-net-istio fresh 85 "130:INTERRUPTED" "SIGINT as net-istio starts" interrupted_at started net-istio
fault int-kserve fresh 85 "130:INTERRUPTED" "SIGINT among KServe's objects" interrupted_after kserve 20
fault int-demo fresh 85 "130:INTERRUPTED" "SIGINT as the demo starts" interrupted_at started demo
fault int-images small 75 "130:INTERRUPTED" "SIGINT while Istio's images are loaded" interrupted_at moved images/istio 4
fault kill-fetch fresh 75 "137" "SIGKILL while the bundle is unpacked" killed_at_fetch
fault kill-cluster fresh 75 "137" "SIGKILL as kind starts" killed_at started cluster
fault kill-cluster-node fresh 75 "137" "SIGKILL as the node's container runs" killed_at node_runs
fault kill-cluster-late fresh 75 "137" "SIGKILL as the control plane comes up" killed_at control_plane_made
fault kill-crds fresh 80 "137" "SIGKILL among the CRDs" killed_after crds 60
fault kill-cert-manager fresh 85 "137" "SIGKILL among cert-manager's objects" killed_after cert-manager 20
fault kill-knative fresh 85 "137" "SIGKILL among Knative's objects" killed_after knative 30
fault kill-kserve fresh 85 "137" "SIGKILL among KServe's objects" killed_after kserve 20
fault kill-demo fresh 85 "137" "SIGKILL as the demo starts" killed_at started demo
fault kill-late fresh 85 "137" "SIGKILL while the model server starts" killed_at pod_runs
fault kill-images small 75 "137" "SIGKILL while the demo's images are loaded" killed_at moved images/demo 4

# What needs a new cluster to show.
fault bundle-flipped-images small 75 "8:BUNDLE_DAMAGED" "a changed byte in Knative's images" bundle_flipped images/knative
fault port-taken fresh 65 "3:PORT_BUSY" "the port that was asked for is taken" port_taken
fault port-taken-next fresh 65 "0" "port 8080 is taken, and none was asked for" port_taken_next
fault path-without-kind fresh 65 "0" "PATH without kind" path_without_kind
fault path-with-broken-kind fresh 65 "0" "PATH with a kind that cannot run" path_with_broken_kind
fault proxy-nowhere fresh 65 "0" "HTTPS_PROXY points nowhere" proxy_nowhere
fault kubeconfig-read-only fresh 65 "0" "the kubeconfig is on a read-only disk" kubeconfig_read_only
fault kubeconfig-locked fresh 65 "0" "the kubeconfig has a stale lock" kubeconfig_locked
fault kubeconfig-garbage fresh 65 "0" "the kubeconfig is no YAML" kubeconfig_garbage
fault two-ups fresh 70 "0" "two ups at once" two_ups
fault down-during-up fresh 130 "0 130:INTERRUPTED" "down while up is at work" down_during_up
fault engine-gone-during-up fresh 110 "3:ENGINE_UNREACHABLE 4:KIND_FAILED 4:ENGINE_UNREACHABLE" "the engine stops while kind is at work" engine_gone_during_up

# The machine around a running cluster.
fault engine-restarted running 45 "0" "the engine was restarted" engine_restarted
fault engine-nowhere running 5 "3:ENGINE_UNREACHABLE" "DOCKER_HOST points nowhere" engine_nowhere
fault node-restarted running 45 "0" "the node's container was restarted" node_after restart
fault node-stopped running 45 "0" "the node's container was stopped" node_after stop
fault node-killed running 45 "0" "the node's container was killed" node_after kill
fault node-paused running 15 "0" "the node's container is paused" node_after pause
fault node-removed running 70 "0" "the node's container was removed by hand" node_removed
fault clock-ahead running 5 "0" "our clock is 2 days ahead" clock_moved +2d
fault clock-behind running 40 "4:CLOCK_SKEW 3:CLOCK_SKEW" "our clock is 2 days behind" clock_moved -2d

# Files.
fault cache-full running 10 "3:NO_SPACE" "the cache's disk is full" cache_full
fault state-full running 10 "3:NO_SPACE 3:STATE_IO" "the state's disk is full" state_full
fault cache-removed running 10 "0" "the cache was removed" cache_removed
fault cache-damaged running 10 "0" "every file of the cache is damaged" cache_damaged
fault state-garbage running 5 "3:STATE_DAMAGED" "state.json is garbage" state_hurt garbage
fault state-cut running 5 "3:STATE_DAMAGED" "state.json is cut off" state_hurt cut
fault state-newer running 5 "3:STATE_NEWER" "state.json was written by a newer program" state_hurt newer
fault state-removed running 5 "0" "state.json was removed" state_hurt removed
fault private-kubeconfig-removed running 5 "0" "our own kubeconfig was removed" private_kubeconfig_removed
fault bundle-cut-files running 5 "8:BUNDLE_DAMAGED" "a bundle cut off in kind's program" bundle_cut bin/kind
fault bundle-cut-images running 10 "8:BUNDLE_DAMAGED" "a bundle cut off in Istio's images" bundle_cut images/istio
fault bundle-cut-end running 15 "8:BUNDLE_DAMAGED" "a bundle cut off in the demo's images" bundle_cut images/demo
fault bundle-flipped-index running 15 "8:BUNDLE_DAMAGED" "a changed byte in a bundle's index" bundle_flipped bundle.json
fault bundle-flipped-files running 15 "8:BUNDLE_DAMAGED" "a changed byte in KServe's manifest" bundle_flipped kserve.yaml

# The objects of a running cluster.
fault api-paused-10 running 30 "0" "the API server hangs for 10 s" api_paused 10
fault api-paused-60 running 90 "0" "the API server hangs for 60 s" api_paused 60
fault scaled-cert-manager running 20 "0" "cert-manager's webhook is scaled to 0" scaled_to_0 cert-manager cert-manager-webhook
fault scaled-knative running 20 "0" "Knative's webhook is scaled to 0" scaled_to_0 knative-serving webhook
fault scaled-net-istio running 20 "0" "net-istio's webhook is scaled to 0" scaled_to_0 knative-serving net-istio-webhook
fault scaled-kserve running 20 "0" "KServe's controller is scaled to 0" scaled_to_0 kserve kserve-controller-manager
fault scaled-activator running 20 "0" "Knative's activator, which has no webhook, is scaled to 0" scaled_to_0 knative-serving activator
fault deployment-deleted running 20 "0" "istiod's Deployment is deleted" deployment_deleted istio-system istiod
fault image-broken running 20 "0" "KServe's controller has an image that does not exist" image_broken kserve kserve-controller-manager manager
fault runtimes-deleted running 10 "0" "the ClusterServingRuntimes are deleted" runtimes_deleted
fault model-deleted running 30 "0" "the InferenceService is deleted" model_deleted
fault webhook-secret-deleted running 60 "0" "the Secret of KServe's webhook is deleted" webhook_secret_deleted
fault ca-wiped running 10 "0" "the caBundle of KServe's webhook is wiped" ca_wiped inferenceservice.serving.kserve.io
fault crd-knative running 60 "0" "Knative's CRD of services is deleted, with its objects" crd_deleted services.serving.knative.dev
fault crd-kserve running 60 "0" "KServe's CRD of InferenceServices is deleted, with its objects" crd_deleted inferenceservices.serving.kserve.io
fault namespace-kserve running 40 "0" "namespace kserve is deleted" namespace_deleted kserve
fault namespace-terminating running 60 "0" "namespace kserve is still being deleted" namespace_terminating kserve
fault namespace-knative running 60 "0" "namespace knative-serving is deleted, and its own webhook holds it" namespace_terminating knative-serving
