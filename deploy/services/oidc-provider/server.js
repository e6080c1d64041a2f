// A certified OpenID provider (oidc-provider) on a free loopback port, for the
// tests. It prints one line of JSON when it answers, and ends when its standard
// input does.
//
// Each client gets access tokens by its own credentials. The name of the client
// says what its tokens claim; the resource it asks for says whom they are for:
// without one they are opaque, as with most providers.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const audiences = { 'https://scopegate.example': 'scopegate', 'https://other.example': 'other' };
const claims = {
  good: { company_id: 1, roles: ['supervisor'] },
  text: { company_id: '1', roles: ['supervisor'] },
  none: {},
};
const secret = process.env.CLIENT_SECRET;

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...key, alg: 'ES256', use: 'sig' }] },
    clients: Object.keys(claims).map((name) => ({
      client_id: name,
      client_secret: secret,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    })),
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    extraTokenClaims: (_, token) => claims[token.clientId],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: '',
          audience: audiences[resource],
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
  server.on('request', provider.callback());
  console.log(JSON.stringify({ issuer }));
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
