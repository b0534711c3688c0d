#!/bin/sh
# Builds kube-apiserver and kube-controller-manager from Debian's source package into DIRECTORY/bin:
#
#   build-api-server.sh DIRECTORY
#
# Does nothing where they are already; a second caller waits for the first. About four minutes of two cores, 1.4 GB of memory and
# 3 GB of scratch below DIRECTORY, which goes again. Needs dpkg-dev, golang-go, golang-github-modern-go-reflect2-dev, and Debian's
# archive for the source. Nothing of the system is changed: apt works on lists and a cache of its own.
set -eu

[ $# -eq 1 ] || { echo "usage: build-api-server.sh DIRECTORY" >&2; exit 2; }
mkdir -p "$1"
directory=$(cd "$1" && pwd)
exec 9>"$directory/lock"
flock 9
if [ -x "$directory/bin/kube-apiserver" ] && [ -x "$directory/bin/kube-controller-manager" ]; then exit 0; fi

scratch=$directory/scratch
rm -rf "$scratch"
mkdir -p "$scratch/go/src/k8s.io" "$scratch/bin" "$scratch/lists/partial" "$scratch/archives/partial"
trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
cd "$scratch"

echo "deb-src http://deb.debian.org/debian bookworm main" >sources.list
apt() {
  apt-get -q -o Dir::Etc::sourcelist="$scratch/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::State::lists="$scratch/lists" -o Dir::Cache::archives="$scratch/archives" \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root "$@"
}
apt update
apt source --download-only kubernetes=1.20.2-1.1 || apt source --download-only kubernetes
dpkg-source --no-check -x kubernetes_1.20*.dsc go/src/k8s.io/kubernetes
cd go/src/k8s.io/kubernetes

# The vendored reflect2 1.0.1 crashes with Go ≥ 1.18 at the first custom resource (modern-go/reflect2 issue 18); Debian's does not.
reflect2=vendor/github.com/modern-go/reflect2
rm -r $reflect2
cp -r /usr/share/gocode/src/github.com/modern-go/reflect2 $reflect2

# GOPATH mode, as the sources were written for; the vendor directory and go.mod of the package do not agree.
export GOPATH="$scratch/go" GOCACHE="$scratch/cache" GO111MODULE=off GOFLAGS= CGO_ENABLED=0 GOTOOLCHAIN=local
package=k8s.io/kubernetes

# The package lacks this generated file, which the API server does not compile without.
go build -o "$scratch/bin/openapi-gen" $package/vendor/k8s.io/kube-openapi/cmd/openapi-gen
inputs=$(find -L pkg cmd vendor/k8s.io -name '*.go' -print0 | xargs -0 grep -l '^// *+k8s:openapi-gen=' |
  grep -vE 'vendor/k8s.io/(kubernetes|code-gen|sample-|kube-openapi)' | xargs -n1 dirname | sort -u | sed "s,^,$package/," | paste -sd,)
"$scratch/bin/openapi-gen" -i "$inputs" -p $package/pkg/generated/openapi -O zz_generated.openapi \
  -h hack/boilerplate/boilerplate.generatego.txt -r /dev/null

version=
for variable in component-base/version client-go/pkg/version; do
  version="$version -X $package/vendor/k8s.io/$variable.gitVersion=v1.20.2"
done
go build -p 2 -trimpath -ldflags "-s -w $version" -o "$scratch/bin/" $package/cmd/kube-apiserver $package/cmd/kube-controller-manager

mkdir -p "$directory/bin"
mv "$scratch/bin/kube-controller-manager" "$scratch/bin/kube-apiserver" "$directory/bin/"
