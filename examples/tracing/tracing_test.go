package tracing_test

import (
	"slices"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/examples/tracing"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestNames(t *testing.T) {
	ctx := t.Context()
	exporter, reader := tracetest.NewInMemoryExporter(), metric.NewManualReader()
	provider := trace.NewTracerProvider(trace.WithSyncer(exporter))
	store, err := tracing.Open(ctx, authdbtest.DSN(t), provider, metric.NewMeterProvider(metric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()

	ctx, request := provider.Tracer("service").Start(ctx, "request") // otelpgx makes no span but within another
	defer request.End()
	user, err := store.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.InTx(ctx, func(tx *authdb.Store) error {
		if _, err := tx.Users.Get(ctx, user.ID); err != nil {
			return err
		}
		_, err := tx.Tx().Exec(ctx, "SELECT 1")
		return err
	}); err != nil {
		t.Fatal(err)
	}

	var spans []string
	for _, span := range exporter.GetSpans() {
		if !slices.Contains([]string{"pool.acquire", "prepare"}, span.Name) && !slices.Contains(spans, span.Name) {
			spans = append(spans, span.Name)
		}
		for _, attribute := range span.Attributes {
			if attribute.Value.Emit() == user.ID || attribute.Key == "db.query.text" {
				t.Errorf("%s shows %s", span.Name, attribute.Key)
			}
		}
	}
	if want := []string{"Users.Create", "InTx", "Users.Get", "SELECT"}; !slices.Equal(spans, want) {
		t.Errorf("got spans %q, want %q", spans, want)
	}

	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &metrics); err != nil {
		t.Fatal(err)
	}
	if names := operations(metrics); !slices.Contains(names, "Users.Get") {
		t.Errorf("got metrics of %q", names)
	}
}

// operations are the names that metrics have.
func operations(metrics metricdata.ResourceMetrics) (names []string) {
	for _, scope := range metrics.ScopeMetrics {
		for _, m := range scope.Metrics {
			histogram, ok := m.Data.(metricdata.Histogram[float64])
			if !ok {
				continue
			}
			for _, point := range histogram.DataPoints {
				if name, ok := point.Attributes.Value("db.operation.name"); ok {
					names = append(names, name.AsString())
				}
			}
		}
	}
	return names
}
