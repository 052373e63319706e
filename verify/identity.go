package verify

import "slices"

// countIdentities adds who signed the manifest without a key of their own. One
// that was offered and does not fit is a refusal: somebody believes that it does.
func (j *judge) countIdentities(payload []byte) *Error {
	for _, id := range j.offered {
		if id.Statement != digestOf(payload) {
			return refuse(WrongSignature, "the bundle by %q is of another manifest", id.Subject)
		}
		if !j.policy.AllowsIdentity(id.Subject, id.Issuer) {
			return refuse(IdentityForbidden, "the policy does not have the identity %q by %q", id.Subject, id.Issuer)
		}
		if !slices.ContainsFunc(j.keyless, func(have Identity) bool { return have.Subject == id.Subject && have.Issuer == id.Issuer }) {
			j.keyless = append(j.keyless, id)
		}
	}
	return nil
}
