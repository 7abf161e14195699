package permission_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/zerostarter/authdb/permission"
)

// vectors are what five servers of Better Auth answered to /organization/has-permission.
type vectors struct {
	Configurations []struct {
		Name  string
		Roles json.RawMessage  // a text refers to the roles of another configuration
		Rows  permission.Roles `json:"organization_role_rows"`
		Table []struct {
			Role        string
			Permissions permission.Set
			Answer      bool
			Differs     map[string]bool
		}
	}
}

var servers = map[string]int{"1.3.34": 3, "1.4.22": 4, "1.5.6": 5, "1.6.34": 6, "1.7.25": 0}

func TestServersAgree(t *testing.T) {
	var v vectors
	data, err := os.ReadFile("testdata/permissions.json")
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	custom := map[string]permission.Roles{"default_roles": nil}
	asked := 0
	for _, c := range v.Configurations {
		var roles permission.Roles
		if err := json.Unmarshal(c.Roles, &roles); err == nil {
			custom["as in '"+c.Name+"'"] = roles
		} else {
			var name string
			if err := json.Unmarshal(c.Roles, &name); err != nil {
				t.Fatal(err)
			}
			if roles = custom[name]; roles == nil && name != "default_roles" {
				t.Fatalf("%s: no roles %s", c.Name, name)
			}
		}
		var dynamic []permission.Roles
		if !strings.HasSuffix(c.Name, "option off") {
			dynamic = append(dynamic, c.Rows)
		}
		for _, row := range c.Table {
			for server, minor := range servers {
				want, differs := row.Differs[server]
				if !differs {
					want = row.Answer
				}
				asked++
				rules := permission.Rules{Roles: roles, Minor: minor}
				if got := rules.Can(row.Role, row.Permissions, dynamic...); got != want {
					t.Errorf("%s, %s: %q for %v: %t, the server %t", c.Name, server, row.Role, row.Permissions, got, want)
				}
			}
		}
	}
	if t.Logf("%d answers", asked); asked < 5*400 {
		t.Errorf("%d answers", asked)
	}
}

// What no server was asked: inputs of the same kinds.
func TestCan(t *testing.T) {
	project := permission.Set{"project": {"create"}}
	ours := permission.Roles{"builder": project, "x,y": project}
	for _, test := range []struct {
		name  string
		rules permission.Rules
		role  string
		want  permission.Set
		can   bool
	}{
		{"nothing", permission.Rules{}, "owner", nil, false},
		{"nobody", permission.Rules{}, "", project, false},
		{"commas", permission.Rules{}, ",,", permission.Set{"ac": {"read"}}, false},
		{"a comma in a name", permission.Rules{Roles: ours}, "x,y", project, false},
		{"given roles replace", permission.Rules{Roles: ours}, "owner", permission.Set{"organization": {"update"}}, false},
		{"no roles at all", permission.Rules{Roles: permission.Roles{}}, "owner", permission.Set{"organization": {"update"}}, false},
		{"an empty list beside another", permission.Rules{}, "owner", permission.Set{"organization": {"update"}, "member": {}}, false},
		{"an empty list beside another, 1.5", permission.Rules{Minor: 5}, "owner", permission.Set{"organization": {"update"}, "member": {}}, true},
		{"case", permission.Rules{}, "Owner", permission.Set{"organization": {"update"}}, false},
		{"a no-break space", permission.Rules{}, "member,\u00a0owner", permission.Set{"organization": {"update"}}, true},
		{"a zero-width space", permission.Rules{}, "member,\u200bowner", permission.Set{"organization": {"update"}}, false},
		{"inherited names", permission.Rules{}, "constructor", permission.Set{"toString": {"call"}}, false},
		{"platform admin", permission.Rules{Platform: true}, "user,admin", permission.Set{"user": {"ban"}}, true},
		{"platform blanks", permission.Rules{Platform: true}, "user, admin", permission.Set{"user": {"ban"}}, false},
		{"platform default", permission.Rules{Platform: true}, "", permission.Set{"user": {"ban"}}, false},
		{"platform default of the application", permission.Rules{Platform: true, DefaultRole: "admin"}, "", permission.Set{"user": {"ban"}}, true},
		{"impersonating admins", permission.Rules{Platform: true}, "admin", permission.Set{"user": {"impersonate-admins"}}, false},
	} {
		if got := test.rules.Can(test.role, test.want); got != test.can {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// TestGrantingIsCan: no role is named that no list of roles can have.
func TestGrantingIsCan(t *testing.T) {
	wanted := permission.Set{"project": {"create"}}
	for _, rules := range []permission.Rules{{}, {Minor: 6}, {Platform: true}} {
		dynamic := permission.Roles{}
		for _, role := range []string{"x", "x,y", " z", "z\t", "y", "", ","} {
			dynamic[role] = wanted
		}
		for _, only := range []string{"x", "x,y", " z", "y", ","} {
			roles := permission.Roles{only: wanted}
			if named := len(rules.Granting(wanted, roles)) > 0; named != rules.Can(only, wanted, roles) {
				t.Errorf("%+v, %q: named is %t", rules, only, named)
			}
		}
		for _, role := range rules.Granting(wanted, dynamic) {
			if !rules.Can(role, wanted, dynamic) {
				t.Errorf("%+v names %q", rules, role)
			}
		}
	}
}

func TestParse(t *testing.T) {
	set, err := permission.Parse(`{"project":["create","share"],"invoice":[]}`)
	if err != nil || fmt.Sprint(set) != "map[invoice:[] project:[create share]]" {
		t.Error(set, err)
	}
	for _, column := range []string{"", "null", "[]", `"x"`, "1", `{"a":null}`, `{"a":"b"}`, `{"a":[1]}`, `{"a":[null]}`, `{"a":{}}`, `{"a":["b"]} x`} {
		if _, err := permission.Parse(column); !errors.Is(err, permission.ErrMalformed) {
			t.Errorf("%s: %v", column, err)
		}
	}
}

func ExampleRules_Can() {
	rules := permission.Rules{Roles: permission.OrganizationRoles()}
	rules.Roles["billing"] = permission.Set{"invoice": {"read", "pay"}}

	fmt.Println(rules.Can("member,billing", permission.Set{"invoice": {"pay"}}))
	fmt.Println(rules.Can("member,billing", permission.Set{"invoice": {"pay"}, "ac": {"read"}})) // rights do not add up
	// Output:
	// true
	// false
}
