package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// MaxZoneMinutes is the distance of the farthest time zone from UTC.
const MaxZoneMinutes = 14 * 60

// ErrZone marks a name that is not an IANA time zone.
var ErrZone = errors.New("unknown time zone")

// Zone is a time zone: a fixed offset, or the rules of an IANA zone. The zero Zone
// is UTC. Zones are comparable.
type Zone struct {
	Minutes int    // east of UTC; 0 if Name is set
	Name    string // of the IANA database, for example "Europe/Berlin"; "": the fixed offset
}

// NamedZone returns the zone of a name in the IANA database. It fails with ErrZone
// for any other text. It also refuses "" and "Local", which package time takes for
// UTC and for the zone of the machine, and names that begin with a small letter:
// they are files beside the database, such as localtime, and differ by machine.
func NamedZone(name string) (Zone, error) {
	if name == "" || name == "Local" || name[0] < 'A' || name[0] > 'Z' {
		return Zone{}, ErrZone
	}
	if _, err := time.LoadLocation(name); err != nil {
		return Zone{}, ErrZone
	}
	return Zone{Name: name}, nil
}

// Location returns the rules of the zone.
func (z Zone) Location() *time.Location {
	if z.Name != "" {
		if location, err := time.LoadLocation(z.Name); err == nil {
			return location
		}
	}
	if z.Minutes == 0 {
		return time.UTC
	}
	return time.FixedZone("", 60*z.Minutes)
}

// String returns the zone as a caller writes it: the name or the minutes.
func (z Zone) String() string {
	if z.Name != "" {
		return z.Name
	}
	return strconv.Itoa(z.Minutes)
}

// MarshalJSON implements json.Marshaler: a number of minutes, or the name.
func (z Zone) MarshalJSON() ([]byte, error) {
	if z.Name != "" {
		return json.Marshal(z.Name)
	}
	return json.Marshal(z.Minutes)
}

// UnmarshalJSON implements json.Unmarshaler.
func (z *Zone) UnmarshalJSON(text []byte) error {
	*z = Zone{}
	var err error
	if len(text) > 0 && text[0] == '"' {
		err = json.Unmarshal(text, &z.Name)
	} else {
		err = json.Unmarshal(text, &z.Minutes)
	}
	if err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	return nil
}
