// A certified OpenID Connect provider for tests: people are whoever logs in, their groups are in GROUPS.
import Provider from 'oidc-provider';

const { PORT, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, AFTER_LOGOUT, GROUPS } = process.env;
const groups = JSON.parse(GROUPS);

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  clients: [{
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    redirect_uris: [REDIRECT_URI],
    post_logout_redirect_uris: [AFTER_LOGOUT],
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }],
  claims: { openid: ['sub'], email: ['email'], profile: ['name', 'preferred_username'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  pkce: { required: () => true, methods: ['S256'] },
  cookies: { keys: ['a key for tests only'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: `${id} Example`,
      preferred_username: id,
      email: `${id}@example.org`,
      groups: groups[id] ?? [],
    }),
  }),
});

provider.listen(Number(PORT), '127.0.0.1', () => console.log('ready'));
