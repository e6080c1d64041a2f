package demo

import "github.com/scopegate/scopegate/tenancy"

// The tree: one owner, regions below it, branches below a region, sites below
// a branch; ids are given level by level.
const (
	companyCount   = 200
	levelCount     = 4
	firstCompanyID = tenancy.CompanyID(1000)
)

// company is a node of the tree with what its sessions are made of.
type company struct {
	tenancy.Company
	level  int
	locale *locale
	place  place
	// weight is how many of the sessions it has, against the others' weights.
	weight int
}

// region is a company of level 1 and its branches.
type region struct {
	name     string
	branches []branch
}

// branch is a company of level 2: a city.
type branch struct {
	country string
	place
}

func regions() []region {
	return []region{
		{"Nordlicht Восток", []branch{
			{"RU", place{"Казань", "TA", "Татарстан", "420"}},
			{"RU", place{"Самара", "SAM", "Самарская область", "443"}},
			{"RU", place{"Екатеринбург", "SVE", "Свердловская область", "620"}},
			{"RU", place{"Орёл", "ORL", "Орловская область", "302"}},
			{"GE", place{"თბილისი", "TB", "თბილისი", "01"}},
			{"AM", place{"Գյումրի", "SH", "Շիրակ", "31"}},
		}},
		{"Nordlicht Nord", []branch{
			{"DE", place{"Köln", "NW", "Nordrhein-Westfalen", "506"}},
			{"DE", place{"Gießen", "HE", "Hessen", "353"}},
			{"DE", place{"Lübeck", "SH", "Schleswig-Holstein", "235"}},
			{"SE", place{"Göteborg", "O", "Västra Götaland", "411"}},
			{"NO", place{"Tromsø", "55", "Troms", "90"}},
			{"DK", place{"Ærøskøbing", "83", "Syddanmark", "59"}},
		}},
		{"Nordlicht Mediterráneo", []branch{
			{"ES", place{"Málaga", "AN", "Andalucía", "290"}},
			{"FR", place{"Besançon", "BFC", "Bourgogne-Franche-Comté", "250"}},
			{"GR", place{"Θεσσαλονίκη", "B", "Κεντρική Μακεδονία", "546"}},
			{"TR", place{"İzmir", "35", "Ege", "350"}},
			{"IL", place{"חיפה", "HA", "חיפה", "310"}},
			{"AE", place{"دبي", "DU", "دبي", "0000"}},
		}},
		{"Nordlicht 極光", []branch{
			{"JP", place{"大阪", "27", "大阪府", "530"}},
			{"CN", place{"杭州", "ZJ", "浙江", "3100"}},
			{"KR", place{"부산", "26", "부산광역시", "460"}},
			{"VN", place{"Đà Nẵng", "DN", "Đà Nẵng", "550"}},
		}},
		{"Nordlicht West", []branch{
			{"GB", place{"Leeds", "ENG", "England", "LS"}},
			{"US", place{"Portland", "OR", "Oregon", "972"}},
			{"IE", place{"Gaillimh", "G", "Connacht", "H91"}},
			{"BR", place{"São Paulo", "SP", "São Paulo", "010"}},
			{"CZ", place{"Brno", "64", "Jihomoravský kraj", "602"}},
			{"PL", place{"Łódź", "10", "Łódzkie", "90"}},
		}},
	}
}

// layOut builds the tree, parents before children. Levels 0 … 3 weigh 1, 1, 3
// and, so that sites differ in size, 1 to 3.
func layOut() []company {
	tree := make([]company, 0, companyCount)
	byCountry := locales()
	add := func(c company) tenancy.CompanyID {
		c.ID = firstCompanyID + tenancy.CompanyID(len(tree))
		tree = append(tree, c)
		return c.ID
	}
	head := place{"Lübeck", "SH", "Schleswig-Holstein", "235"}
	owner := add(company{
		Company: tenancy.Company{Name: "Nordlicht Group"}, locale: byCountry["DE"], place: head, weight: 1,
	})
	var branches []company
	for _, r := range regions() {
		id := add(company{
			Company: tenancy.Company{Name: r.name, ParentID: owner}, level: 1,
			locale: byCountry[r.branches[0].country], place: r.branches[0].place, weight: 1,
		})
		for _, b := range r.branches {
			branches = append(branches, company{
				Company: tenancy.Company{Name: "Nordlicht " + b.city, ParentID: id}, level: 2,
				locale: byCountry[b.country], place: b.place, weight: 3,
			})
		}
	}
	for i := range branches {
		branches[i].ID = add(branches[i])
	}
	for site := 0; len(tree) < companyCount; site++ {
		parent := branches[site%len(branches)]
		add(company{
			Company: tenancy.Company{
				Name:     parent.place.city + " · " + parent.locale.sites[site/len(branches)],
				ParentID: parent.ID,
			},
			level: 3, locale: parent.locale, place: parent.place, weight: 1 + site%3,
		})
	}
	return tree
}

// findCompany looks a generated company up by its name.
func findCompany(tree []company, name string) company {
	for _, c := range tree {
		if c.Name == name {
			return c
		}
	}
	// A name that is not in the tree is a mistake in the account table beside
	// it, which every test of this package would meet.
	panic("demo: no company named " + name)
}
