package main

import "testing"

func TestFiltersOfTheMatrixHaveValuesOfTheData(t *testing.T) {
	sample := []map[string]any{
		{"id": "a", "status": "OPEN", "tags": " x , y", "operatorId": nil},
		{"id": "b", "status": "OPEN", "tags": "", "operatorId": "7"},
	}
	for name, want := range map[string]int{
		"sessionId": 2, "status": 1, "statusNot": 1, "tags": 1, "operatorIdNot": 1, "chatId": 0, "closed": 2, "from": 0, "branchIds": 0,
	} {
		if values, known := matrixValues(name, sample); !known || len(values) != want {
			t.Errorf("%s: %v, %v; want %d", name, values, known, want)
		}
	}
	if values, known := matrixValues("newFilter", sample); known {
		t.Errorf("a filter that nobody has thought of has the values %v", values)
	}
}
