// An OpenID provider for tests: `node provider.mjs PORT ACCOUNTS REDIRECT_URI SIGNED_OUT_URI`. ACCOUNTS is a JSON file
// {subject: claims} that is read again at each sign-in, so that a test can change the groups of an account.

import { readFileSync } from "node:fs";
import Provider from "oidc-provider";

const [port, accounts, redirectUri, signedOutUri] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "progress-site",
      client_secret: "a-secret-of-the-test",
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [signedOutUri],
    },
  ],
  cookies: { keys: ["a-key-of-the-test"] },
  pkce: { required: () => true },
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], email: ["email", "email_verified"], groups: ["groups"] },
  findAccount: (_, sub) => {
    const claims = JSON.parse(readFileSync(accounts, "utf8"))[sub];
    return claims && { accountId: sub, claims: () => ({ sub, ...claims }) };
  },
  // No question for consent: companies grant it for everybody.
  loadExistingGrant: async ({ oidc }) => {
    const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid profile email groups");
    await grant.save();
    return grant;
  },
});

provider.listen(Number(port), "127.0.0.1", () => console.log(`listens on http://127.0.0.1:${port}`));
