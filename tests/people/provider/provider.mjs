// A real, small OpenID provider on loopback: the `oidc-provider` package, with one client and one
// account (subject "7"), whose log-in and consent pages are those of the package.
//   node provider.mjs FOLDER REDIRECT_URI       FOLDER holds node_modules
// Prints its issuer once it listens.
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const [folder, redirect] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${folder}/package.json`));
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

const server = createServer();
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: "desk",
    client_secret: "a secret with spaces & signs",
    redirect_uris: [redirect],
    response_types: ["code"],
    grant_types: ["authorization_code"],
    token_endpoint_auth_method: "client_secret_basic",
    // It speaks plain http on loopback here.
    application_type: "native",
  }],
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  cookies: { keys: ["of this test only"] },
});
server.on("request", provider.callback());
console.log(issuer);
