package main

import (
	"errors"

	"sigs.k8s.io/yaml"
)

// plainEnvoyMesh takes the mesh configuration of ConfigMap istio-system/istio and switches off what asks for Istio's own
// Envoy extensions: the Prometheus provider adds the stats filter to every listener, and merged metrics go through it.
func plainEnvoyMesh(objects []object) (string, error) {
	for _, o := range objects {
		if o.name != "ConfigMap istio-system/istio" {
			continue
		}
		data, _ := o.value["data"].(map[string]any)
		text, _ := data["mesh"].(string)
		if text == "" {
			return "", errors.New("ConfigMap istio-system/istio has no mesh configuration")
		}
		var mesh map[string]any
		if err := yaml.Unmarshal([]byte(text), &mesh); err != nil {
			return "", err
		}
		mesh["defaultProviders"] = map[string]any{}
		mesh["enablePrometheusMerge"] = false
		changed, err := yaml.Marshal(mesh)
		return string(changed), err
	}
	return "", errors.New("no ConfigMap istio-system/istio in the manifest")
}
