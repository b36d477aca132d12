#!/usr/bin/env bash
# Install Debian's Slurm for the tests of tests/slurm, as root; --dbd also what accounting needs. Does nothing if it is there.
set -euo pipefail
packages=(slurm-wlm munge libnss-wrapper)
programs=(munged slurmctld slurmd sbatch)
if [ "${1-}" = --dbd ]; then
  packages+=(slurmdbd slurm-wlm-mysql-plugin mariadb-server)
  programs+=(slurmdbd mariadbd)
fi
export PATH=$PATH:/usr/sbin:/sbin
missing=no
for program in "${programs[@]}"; do command -v "$program" >/dev/null || missing=yes; done
[ "$missing" = yes ] || exit 0
# RUNLEVEL=1 keeps the packages from starting their own services.
apt-get update -q
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" </dev/null
