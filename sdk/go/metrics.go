package plugin

/*
#include "bridge.h"
*/
import "C"

// Metric is a number beside the host's own. Keep one and record with it.
type Metric struct {
	host                    *Host
	kind                    C.uint32_t
	name, unit, description string
}

// Counter only grows: Record adds. unit ("{item}", "ms") and description may be empty.
func (h *Host) Counter(name, unit, description string) *Metric {
	return &Metric{h, C.TRELLIS_METRIC_COUNTER, name, unit, description}
}

// Gauge goes up and down: Record sets.
func (h *Host) Gauge(name, unit, description string) *Metric {
	return &Metric{h, C.TRELLIS_METRIC_GAUGE, name, unit, description}
}

// Histogram says how values are distributed: Record counts one.
func (h *Host) Histogram(name, unit, description string) *Metric {
	return &Metric{h, C.TRELLIS_METRIC_HISTOGRAM, name, unit, description}
}

// Attribute keeps apart what is counted apart: few values, no ids.
type Attribute struct{ Name, Value string }

func (m *Metric) Record(value float64, attributes ...Attribute) error {
	var texts []byte
	sizes := make([]C.size_t, 0, 2*len(attributes)+1)
	for _, attribute := range attributes {
		texts = append(append(texts, attribute.Name...), attribute.Value...)
		sizes = append(sizes, C.size_t(len(attribute.Name)), C.size_t(len(attribute.Value)))
	}
	sizes = append(sizes, 0) // so that there is a first one
	return m.host.tell(func() C.trellis_status {
		nameData, nameSize := lend(m.name)
		unitData, unitSize := lend(m.unit)
		descriptionData, descriptionSize := lend(m.description)
		textsData, _ := bytesOf(texts)
		return C.trellis_go_record(m.host.table, m.kind, nameData, nameSize, unitData, unitSize, descriptionData,
			descriptionSize, C.double(value), textsData, &sizes[0], C.size_t(len(attributes)))
	})
}
