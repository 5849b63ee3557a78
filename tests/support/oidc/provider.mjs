// A certified OpenID Connect provider for tests: people are whoever logs in, but for those who have left; who is in which
// groups, and who has left, stands in the file PEOPLE.
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const { PORT, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, AFTER_LOGOUT, PEOPLE } = process.env;
const people = () => JSON.parse(readFileSync(PEOPLE));

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  clients: [{
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    redirect_uris: [REDIRECT_URI],
    post_logout_redirect_uris: [AFTER_LOGOUT],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  claims: { openid: ['sub'], email: ['email'], profile: ['name', 'preferred_username'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups', 'offline_access'],
  issueRefreshToken: async () => true, // also such that end with the session here
  rotateRefreshToken: true, // a token that is used twice ends all that came from that login
  pkce: { required: () => true, methods: ['S256'] },
  cookies: { keys: ['a key for tests only'] },
  findAccount: (ctx, id) => people().left.includes(id) ? undefined : ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: `${id} Example`,
      preferred_username: id,
      email: `${id}@example.org`,
      groups: people().groups[id] ?? [],
    }),
  }),
});

provider.listen(Number(PORT), '127.0.0.1', () => console.log('ready'));
