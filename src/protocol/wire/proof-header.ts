/** The header of a member's proof, beside its token (see federation/member-proof.ts). */
export const PROOF_HEADER = 'cutlayer-proof-bin';
