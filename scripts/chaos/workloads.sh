# shellcheck shell=bash disable=SC2153
# What somebody, or bad luck, can do to the objects of a running cluster. `up` finds it and puts it right.

# broken COMMAND…: the damage, then `up`.
broken() {
  must "$*" "$@" || return 1
  plain_up
  tell_outcome
}

scaled_to_0() { # NAMESPACE DEPLOYMENT
  must "scale" kubectl -n "$1" scale deployment "$2" --replicas=0 || return 1
  # one that is being ended may answer for half a minute
  must "its pods go" eventually 120 no_pods "$1" "$2" || return 1
  plain_up
  tell_outcome
}
no_pods() {
  local labels
  labels=$(kubectl -n "$1" get deployment "$2" -o json | jq -r '.spec.selector.matchLabels | to_entries | map("\(.key)=\(.value)") | join(",")')
  [ -n "$labels" ] && [ -z "$(kubectl -n "$1" get pods -l "$labels" -o name)" ]
}

deployment_deleted() { broken kubectl -n "$1" delete deployment "$2" --wait=true --timeout=60s; }

image_broken() { # NAMESPACE DEPLOYMENT CONTAINER
  must "another image" kubectl -n "$1" set image "deployment/$2" "$3=quickstart.invalid/none:1" || return 1
  must "its pod cannot start" eventually 60 pulls_in_vain "$1" || return 1
  plain_up
  tell_outcome
}
pulls_in_vain() { kubectl -n "$1" get pods -o 'jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}' | grep -qE 'ImagePull'; }

crd_deleted() { broken kubectl delete crd "$1" --wait=true --timeout=90s; }
namespace_deleted() { broken kubectl delete namespace "$1" --wait=true --timeout=120s; }
namespace_terminating() { broken kubectl delete namespace "$1" --wait=false; }
runtimes_deleted() { broken kubectl delete clusterservingruntimes --all --wait=true --timeout=60s; }
model_deleted() { broken kubectl -n kserve-test delete inferenceservice sklearn-iris --wait=true --timeout=90s; }
webhook_secret_deleted() { broken kubectl -n kserve delete secret kserve-webhook-server-cert; }

ca_wiped() { # NAME
  must "read" eval "kubectl get validatingwebhookconfiguration $1 -o json >'$WORK/webhook.json'" || return 1
  must "wipe" eval "jq 'del(.webhooks[].clientConfig.caBundle)' '$WORK/webhook.json' | kubectl replace -f -" || return 1
  plain_up
  tell_outcome
}

# The API server's process inside the node; `pkill` may not be there.
signal_api_server() { # SIGNAL
  # shellcheck disable=SC2016
  docker exec "$NODE" sh -c 'for place in /proc/[0-9]*; do
    if [ "$(cat "$place/comm" 2>/dev/null)" = kube-apiserver ]; then kill -"$1" "${place#/proc/}"; fi
  done' sh "$1"
}

# api_paused SECONDS: while `up` has a Deployment to make again. The pause is the fault itself, hence the sleep.
api_paused() {
  must "delete a Deployment" kubectl -n knative-serving delete deployment autoscaler --wait=true --timeout=60s || return 1
  begin
  if ! reached 60 started cluster; then
    finish 600
    return 1
  fi
  undo signal_api_server CONT
  must "stop the API server" signal_api_server STOP || return 1
  sleep "$1"
  must "let it go on" signal_api_server CONT || return 1
  finish 600
  tell_outcome
}
