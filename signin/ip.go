package signin

import (
	"net/netip"
	"slices"
	"strings"
)

// ClientIP returns the client's address as the server takes it from the lines of a header, such as
// r.Header["X-Forwarded-For"]; empty if it is not known. The server trusts the header: use it only behind a proxy that
// sets it.
//
// From a list, 1.3 to 1.5 take the first address. From 1.6 on, a list counts only with TrustedProxies, and then its
// last address that is none of these. From 1.4 on, an IPv6 address is written as its network of 64 bits.
func (f *Flows) ClientIP(lines ...string) string {
	list := strings.Split(strings.Join(lines, ","), ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	if f.before(6) {
		return f.written(list[0])
	}
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	if len(f.TrustedProxies) == 0 {
		if len(list) != 1 {
			return ""
		}
		return f.written(list[0])
	}
	for _, s := range slices.Backward(list) {
		ip, ok := parseIP(s)
		if !ok {
			return ""
		}
		if !slices.ContainsFunc(f.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) }) {
			return f.written(s)
		}
	}
	return ""
}

// written returns an address as the server writes it.
func (f *Flows) written(s string) string {
	ip, ok := parseIP(s)
	switch {
	case !ok:
		return ""
	case f.before(4):
		return s
	case ip.Unmap().Is4():
		return ip.Unmap().String()
	}
	network, _ := ip.Prefix(64) // never fails for an IPv6 address
	return network.Addr().StringExpanded()
}

func parseIP(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(s)
	return ip, err == nil && ip.Zone() == ""
}
