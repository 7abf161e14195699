// Package tracing shows how spans and metrics get the names of authdb's methods. It is a module of its own, so that
// authdb itself needs no OpenTelemetry.
package tracing

import (
	"context"

	"github.com/exaring/otelpgx"
	"github.com/zerostarter/authdb"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Open returns a store whose spans and metrics have the names of its methods, such as "Users.Get". They hold neither SQL
// nor its arguments.
func Open(
	ctx context.Context, dsn string, spans trace.TracerProvider, metrics metric.MeterProvider,
) (*authdb.Store, error) {
	return authdb.Open(ctx, dsn, authdb.WithTracer(otelpgx.NewTracer(
		otelpgx.WithTracerProvider(spans),
		otelpgx.WithMeterProvider(metrics),
		otelpgx.WithSpanNameCtxFunc(name),
		otelpgx.WithMetricOperationName(name),
		otelpgx.WithDisableSQLStatementInAttributes(),
	)))
}

// name is the method that a statement belongs to; the statement's first word for the caller's own SQL.
func name(ctx context.Context, sql string) string {
	if method := authdb.Method(ctx); method != "" {
		return method
	}
	return otelpgx.SQLOperationName(ctx, sql)
}
