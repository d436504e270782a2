"""The files that scripts name."""

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: server, ports: [{containerPort: 8080}]}]
"""

EXTRA = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: server, ports: [{containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: server, ports: [{containerPort: 8080}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    - {name: Ready, type: boolean, jsonPath: .status.ready}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {size: {type: integer, description: How large it is.}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""

SERVED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: served}\ndata: {a: first}\n"

ROLES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: seen, namespace: MY_NS}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: seen, namespace: MY_NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: seen}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]
"""

FILES = {
    "web.yaml": WEB,
    "web3.yaml": WEB.replace("replicas: 2", "replicas: 3"),
    "broken.yaml": WEB.replace("replicas: 2", "replcas: 2"),
    "wrong.yaml": WEB.replace("replicas: 2", "replicas: many"),
    "extra.yaml": EXTRA,
    "widgets.yaml": WIDGETS,
    "widget.yaml": "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one}\nspec: {size: 3}\n",
    "served.yaml": SERVED,
    "served2.yaml": SERVED.replace("first", "second"),
    "service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: none}\nspec: {ports: [{port: 80}]}\n",
    "roles.yaml": ROLES,
    "rolebinding.yaml": ROLES.split("---")[1],
    "colours.env": "colour=blue\n",
    "columns.txt": "WHO\n.metadata.name\n",
    "kustomized/kustomization.yaml": "configMapGenerator: [{name: colours, literals: [sky=blue]}]\n",
}
