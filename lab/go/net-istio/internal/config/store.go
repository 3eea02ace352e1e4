package config

import (
	"context"

	netconfig "knative.dev/networking/pkg/config"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/reconciler"
)

// Config is all configuration, as one reconciliation sees it.
type Config struct {
	Istio   *Istio
	Network *netconfig.Config
}

type contextKey struct{}

// FromContext returns the configuration that WithConfig or Store.ToContext put into the context.
func FromContext(ctx context.Context) *Config {
	cfg, ok := ctx.Value(contextKey{}).(*Config)
	if !ok {
		return &Config{}
	}
	return cfg
}

// WithConfig puts the configuration into the context.
func WithConfig(ctx context.Context, cfg *Config) context.Context {
	return context.WithValue(ctx, contextKey{}, cfg)
}

// Store holds the newest valid configuration; an invalid update is logged and ignored.
type Store struct {
	*configmap.UntypedStore
}

var _ reconciler.ConfigStore = (*Store)(nil)

// NewStore makes an empty store; onChange runs after each accepted update.
func NewStore(logger configmap.Logger, onChange ...func(name string, value any)) *Store {
	return &Store{configmap.NewUntypedStore("ingress", logger, configmap.Constructors{
		IstioName:               NewIstio,
		netconfig.ConfigMapName: netconfig.NewConfigFromConfigMap,
	}, onChange...)}
}

// Load returns the newest configuration; parts not read yet are nil.
func (s *Store) Load() *Config {
	cfg := &Config{}
	if istio, ok := s.UntypedLoad(IstioName).(*Istio); ok {
		cfg.Istio = istio
	}
	if network, ok := s.UntypedLoad(netconfig.ConfigMapName).(*netconfig.Config); ok {
		cfg.Network = network
	}
	return cfg
}

// ToContext puts the newest configuration into the context.
func (s *Store) ToContext(ctx context.Context) context.Context {
	return WithConfig(ctx, s.Load())
}
