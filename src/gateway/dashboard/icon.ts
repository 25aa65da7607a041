/** The page's icon: a stack of blocks, cut. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1d4ed8"/><rect x="7" y="7" width="18" height="4" rx="2" fill="#fff"/><rect x="7" y="14" width="18" height="4" rx="2" fill="#93c5fd"/><rect x="7" y="21" width="18" height="4" rx="2" fill="#fff"/></svg>
`;
